"""Score the predictions of a variant against the truth and against the uncompressed model's predictions."""

from tocompress.evaluation.score import score
from tocompress.job import job
from tocompress.schemas.study import METRICS
from tocompress.settings.jobs import ScoreJob
from tocompress.tables import write_table

with job(snakemake):
    inputs = ScoreJob.model_validate_json(snakemake.params.settings)
    scores = score(snakemake.input.predictions, snakemake.input.baseline, inputs, *snakemake.input.classes)
    of = snakemake.wildcards
    write_table(snakemake.output[0], METRICS, scores.assign(runtime=of.runtime, model=of.model, variant=of.variant))
