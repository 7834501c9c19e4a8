"""Train a model from its initial weights and write its checkpoint."""

import hashlib
from pathlib import Path

from tocompress.job import job
from tocompress.models import keras_alone  # noqa: F401
from tocompress.schemas.study import HISTORY
from tocompress.settings.jobs import TrainJob
from tocompress.tables import write_table
from tocompress.training.train import train
from tocompress.vocabulary.variants import BASELINE

with job(snakemake):
    # Only a run with the same settings and code may resume a stopped run.
    same = hashlib.sha256("".join(snakemake.params).encode()).hexdigest()[:8]
    history = train(
        snakemake.wildcards.model,
        TrainJob.model_validate_json(snakemake.params.settings),
        examples=snakemake.input.train,
        validation=snakemake.input.calibration,
        checkpoint=Path(snakemake.output.checkpoint),
        resume_folder=Path(f"{snakemake.output.checkpoint}.{same}.resume"),
    )
    write_table(snakemake.output.history, HISTORY, history.assign(model=snakemake.wildcards.model, variant=BASELINE))
