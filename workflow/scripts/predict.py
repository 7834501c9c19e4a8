"""Run an artifact over its test set."""

from tocompress.evaluation.predict import predict
from tocompress.job import job
from tocompress.settings.jobs import PredictJob
from tocompress.weights import read_metadata

with job(snakemake):
    settings = PredictJob.model_validate_json(snakemake.params.settings)
    settings = settings.of(*map(read_metadata, snakemake.input.facts))
    predict(
        snakemake.output[0],
        snakemake.input.artifact,
        snakemake.input.test,
        settings,
        snakemake.threads,
        snakemake.wildcards.get("scatteritem", "1-of-1"),
    )
