"""Write the study's report."""

from typing import TYPE_CHECKING

from tocompress.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    pass
