"""Run an artifact over its test set."""

from typing import TYPE_CHECKING

from tocompress.evaluation.predict import predict
from tocompress.job import job
from tocompress.settings.jobs import PredictJob

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    settings = PredictJob.model_validate_json(snakemake.params.settings)
    predict(
        snakemake.output[0],
        snakemake.input.artifact,
        snakemake.input.test,
        settings,
        snakemake.threads,
        snakemake.wildcards.get("scatteritem", "1-of-1"),
    )
