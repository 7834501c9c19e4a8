"""Run an artifact over its test set."""

from tocompress.evaluation.predict import predict
from tocompress.job import job
from tocompress.settings.jobs import PredictJob

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
