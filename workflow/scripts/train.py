"""Train a model from its initial weights and write its checkpoint."""

from pathlib import Path
from typing import TYPE_CHECKING

from tocompress.job import job
from tocompress.schemas.training import HISTORY
from tocompress.settings.inputs import TrainingInputs
from tocompress.tables import write_table
from tocompress.training.train import train

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    history = train(
        snakemake.wildcards.model,
        TrainingInputs.model_validate_json(snakemake.params.settings),
        examples=snakemake.input.train,
        validation=snakemake.input.calibration,
        checkpoint=Path(snakemake.output.checkpoint),
        resume_folder=Path(snakemake.output.checkpoint).with_suffix(".resume"),
    )
    write_table(snakemake.output.history, HISTORY, history)
