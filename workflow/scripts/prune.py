"""Prune a variant's parent and retrain the smaller network."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

from tocompress.models import keras_alone  # noqa: F401

# isort: split
from tocompress.compression.pruning.prune import prune
from tocompress.errors import about
from tocompress.job import job
from tocompress.schemas.study import HISTORY, IMPORTANCE, PRUNING
from tocompress.settings.jobs import PruneJob
from tocompress.tables import read_table, write_table
from tocompress.tasks.examples import read_examples
from tocompress.threads import use_threads
from tocompress.weights import read_weights, write_weights

with job(snakemake):
    use_threads(snakemake.threads)
    # Only a run with the same settings, code and parent may resume a stopped run.
    same = hashlib.sha256("".join(snakemake.params).encode())
    for file in (snakemake.input.parent, *snakemake.input.importance, *snakemake.input.teacher):
        same.update(Path(file).read_bytes())
    weights, metadata = read_weights(snakemake.input.parent)
    inputs = PruneJob.model_validate_json(snakemake.params.settings).of(metadata)
    train, calibration = (
        read_examples(files[0], inputs.model, inputs.data) if files else None
        for files in (snakemake.input.train, snakemake.input.calibration)
    )
    ranking = snakemake.input.importance
    importance = read_table(ranking[0], IMPORTANCE)["importance"].to_numpy() if ranking else None
    teacher = read_weights(snakemake.input.teacher[0])[0] if snakemake.input.teacher else None
    given = {"importance": importance, "teacher": teacher}
    resume_folder = Path(f"{snakemake.output.weights}.{same.hexdigest()[:8]}.resume")
    with about(snakemake.input.parent):
        pruned = prune(weights, inputs, train, calibration, resume_folder=resume_folder, **given)
    write_weights(snakemake.output.weights, pruned.weights, replace(metadata, variant=snakemake.wildcards.variant))
    of = {"model": snakemake.wildcards.model, "variant": snakemake.wildcards.variant}
    write_table(snakemake.output.removed, PRUNING, pruned.removed.assign(**of))
    write_table(snakemake.output.history, HISTORY, pruned.history.assign(**of))
    for finished_or_outdated in resume_folder.parent.glob(f"{Path(snakemake.output.weights).name}.*.resume"):
        shutil.rmtree(finished_or_outdated, ignore_errors=True)
