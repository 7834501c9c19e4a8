"""Choose the files of a package: results, their records, and the notes by which Snakemake knows them."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path

from tocompress.errors import StudyError
from tocompress.provenance.record import Record
from tocompress.provenance.verify import places

#: The content of each file of a package by its name: a file, or bytes.
Contents = dict[str, Path | bytes]

RULE = "package"
#: The folders of a study whose files may be left out, but for their tables.
_BY_CHOICE = ("artifacts", "weights")
_TABLE = ".parquet"
_EXAMPLE = "artifacts/litert/vgg_16/q8.tflite"
_NOTES = Path(".snakemake/metadata")


def records(study: Path) -> dict[Path, Record]:
    """Return the records of a study by their files, without the records of packages."""
    found = {place: Record.model_validate_json(place.read_bytes()) for place in places(str(study))}
    return {place: record for place, record in found.items() if record.rule != RULE}


def recorded(study: Path, made: Iterable[Record]) -> list[Path]:
    """Return the results in a study's folder that these records name, whether they are still there or not."""
    outputs = {Path(output) for record in made for output in record.outputs}
    return sorted(output for output in outputs if output.is_relative_to(study))


def chosen(study: Path, made: Collection[Record], patterns: Sequence[str]) -> list[Path]:
    """Return the results that are there, without artifacts and weights that fit no pattern.

    A file that nothing was made of stays. `verify` would miss it. Raise StudyError where a pattern fits no file.
    """
    files = [result for result in recorded(study, made) if result.is_file()]
    used = {Path(path) for record in made for path in record.inputs}
    by_choice = {file: str(file.relative_to(study)) for file in files if file in used and _is_large(study, file)}
    for pattern in patterns:
        if not any(fnmatch(name, pattern) for name in by_choice.values()):
            raise StudyError(
                f"publish.artifacts: '{pattern}' fits no file; take a pattern of files such as"
                f" '{next(iter(by_choice.values()), _EXAMPLE)}', or an empty list"
            )
    left_out = {file for file, name in by_choice.items() if not any(fnmatch(name, pattern) for pattern in patterns)}
    return [file for file in files if file not in left_out]


def _is_large(study: Path, file: Path) -> bool:
    return file.relative_to(study).parts[0] in _BY_CHOICE and file.suffix != _TABLE


def notes(results: Collection[Path]) -> Contents:
    """Return Snakemake's notes of these results: the digests of their inputs, and the parameters of their jobs.

    A result that is left out keeps its note. Snakemake judges other outputs of the job by it. Raise StudyError where a
    file has no note. Another clone would make it again.
    """
    named = {*results, *(folder for result in results for folder in result.parents)}
    files = (file for file in sorted(_NOTES.rglob("*")) if file.is_file())
    found = {result: file for file in files if (result := _result(file)) in named}
    for result in results:
        if result.is_file() and not found.keys() & {result, *result.parents}:
            raise StudyError(f"{result}: {_NOTES} holds no note of it; delete the file, then it is made again")
    return {str(file): _without_environment(file) for file in found.values()}


def _result(note: Path) -> Path:
    """Return the result that a note is of. Its name encodes the result's, in folders where it is long."""
    name = "".join(part.removeprefix("@") for part in note.relative_to(_NOTES).parts)
    return Path(urlsafe_b64decode(name).decode())


def _without_environment(note: Path) -> bytes:
    """Return a note without its copy of the conda environment, which is most of it and decides nothing."""
    content = json.loads(note.read_bytes())
    content.pop("conda_env", None)
    return json.dumps(content).encode()
