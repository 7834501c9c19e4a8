"""Run an artifact over its test set."""

from typing import TYPE_CHECKING

from tocompress.evaluation.predict import predict
from tocompress.job import job
from tocompress.settings.prediction import PredictionInputs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    settings = PredictionInputs.model_validate_json(snakemake.params.settings)
    predict(
        snakemake.output[0],
        snakemake.input.artifact,
        snakemake.input.test,
        settings,
        snakemake.threads,
        snakemake.wildcards.get("scatteritem", "1-of-1"),
    )
