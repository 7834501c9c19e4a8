"""Write a bundle: the folder of one artifact with its card, its names of classes or subwords, and a program."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd

from tocompress.bundles.card import as_text, card
from tocompress.bundles.inputs import class_names
from tocompress.errors import StudyError
from tocompress.files import digest, replace_folder_on_success
from tocompress.settings.data import NumberPhrases, Wmt
from tocompress.settings.jobs import BundleJob
from tocompress.vocabulary.runtimes import LITERT, SUFFIXES, TENSORFLOW

_PROGRAMS = Path(__file__).parent / "programs"
#: The packages that a program takes, by its runtime or task.
_PACKAGES = {
    TENSORFLOW: ["numpy", "tensorflow"],
    LITERT: ["numpy", "ai-edge-litert"],
    "classification": ["pillow"],
    "translation": [],
}


def write_bundle(
    folder: str | Path,
    job: BundleJob,
    *,
    artifact: str | Path,
    weights: str | Path,
    study: pd.DataFrame,
    pictures: Path | None = None,
) -> None:
    """Write the bundle of an artifact to `folder`, whole or not at all.

    `study` is the study's table. `pictures` is the table of the test set, where it names the classes. Raise StudyError
    where there is no program for the runtime.
    """
    if job.runtime not in _PACKAGES:
        raise StudyError(f"bundle: no program runs {job.runtime}; write bundles/programs/{job.runtime}.py for it")
    file = f"model.{SUFFIXES[job.runtime]}"
    with replace_folder_on_success(folder) as temporary:
        shutil.copyfile(artifact, temporary / file)
        _write_program(temporary, job)
        labels = class_names(job.model, job.data, pictures)
        if labels:
            (temporary / "labels.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
        if isinstance(job.data, NumberPhrases | Wmt):
            _copy_subwords(temporary, job.data)
        packages = [*_PACKAGES[job.runtime], *_PACKAGES[job.model.task]]
        facts = {"file": file, "sha256": digest(artifact), "packages": packages}
        told = card(job, study, facts, {"sha256": digest(weights)}) | {"labels": "labels.txt" if labels else None}
        (temporary / "card.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (temporary / "card.md").write_text(as_text(told), encoding="utf-8")


def _write_program(folder: Path, job: BundleJob) -> None:
    shutil.copyfile(_PROGRAMS / f"{job.model.task}.py", folder / "run.py")
    shutil.copyfile(_PROGRAMS / f"{job.runtime}.py", folder / "runtime.py")


def _copy_subwords(folder: Path, data: NumberPhrases | Wmt) -> None:
    shutil.copyfile(data.source_vocabulary, folder / "vocabulary.source.txt")
    shutil.copyfile(data.target_vocabulary, folder / "vocabulary.target.txt")
    if data.codes is not None:
        shutil.copyfile(data.codes, folder / "codes.bpe")
