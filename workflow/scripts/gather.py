"""Put the shares of a variant's predictions together."""

from typing import TYPE_CHECKING

from tocompress.evaluation.shards import gather
from tocompress.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    gather(snakemake.output[0], snakemake.input)
