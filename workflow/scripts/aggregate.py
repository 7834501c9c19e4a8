"""Put the study's table together."""

from tocompress.job import job
from tocompress.reporting.collect import collect
from tocompress.schemas.study import STUDY
from tocompress.settings.jobs import AggregateJob
from tocompress.tables import write_table

with job(snakemake):
    settings = AggregateJob.model_validate_json(snakemake.params.settings)
    write_table(snakemake.output[0], STUDY, collect(settings, **dict(snakemake.input.items())))
