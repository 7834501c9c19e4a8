"""Put the study's table together."""

from typing import TYPE_CHECKING

from tocompress.job import job
from tocompress.reporting.collect import collect
from tocompress.schemas.study import STUDY
from tocompress.settings.jobs import AggregateJob
from tocompress.tables import write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    settings = AggregateJob.model_validate_json(snakemake.params.settings)
    write_table(snakemake.output[0], STUDY, collect(settings, **dict(snakemake.input.items())))
