"""Write the package of a study: one zip, whose bytes depend on its files alone."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Collection, Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

import yaml

from tocompress.errors import StudyError
from tocompress.files import replace_on_success
from tocompress.provenance.record import REPOSITORY, Record, commit
from tocompress.provenance.verify import verify
from tocompress.publishing.contents import Contents, chosen, notes, recorded, records
from tocompress.publishing.crate import METADATA, Part, Run, crate
from tocompress.publishing.readme import README, readme
from tocompress.settings.jobs import PackageJob

Results = Mapping[str, tuple[str, ...]]

#: In the study's folder. `verify` looks for results elsewhere, and for records by their suffix.
_CONFIG, _WORKFLOW = "provenance/config.yaml", "provenance/workflow"
#: The part of the workflow that a package holds, to be read there and not to be run.
_SOURCES = ("Snakefile", "CITATION.cff", "LICENSE", "rules/*.smk")


def write_package(path: str | Path, job: PackageJob, downloads: str, results: Results) -> None:
    """Write the package of a study. `results` are its targets by their kinds.

    Raise StudyError where a file differs from its record.
    """
    check_verified(job.folder, downloads, results, str(path))
    study = Path(job.folder)
    made = records(study)
    outputs = recorded(study, made.values())
    kept = chosen(study, made.values(), job.artifacts)
    left_out = {output for output in outputs if output.is_file()} - {*kept}
    run = _run(job, made.values(), results)
    contents = _as_they_are([*kept, *made]) | notes([*outputs, *made]) | _workflow(study)
    contents[run.config_file] = yaml.safe_dump(job.config, sort_keys=False, allow_unicode=True).encode()
    contents[README] = readme(run, left_out).encode()
    contents[METADATA] = _description(run, contents)
    write_zip(path, contents)


def check_verified(folder: str, downloads: str, results: Results, package: str) -> None:
    """Raise StudyError where `verify` finds a problem, other than that the package itself is not there."""
    targets = [file for files in results.values() for file in files]
    problems = [found for found in verify(folder, downloads, targets).problems if found.results != (package,)]
    if problems:
        print(*problems, sep="\n")
        raise StudyError(
            f"{problems[0]}; a package holds only results that are as recorded, and `snakemake --cores 1 verify` names"
            " all others"
        )


def _run(job: PackageJob, made: Collection[Record], results: Results) -> Run:
    return Run(
        study=job.study,
        citation=yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")),
        commit=commit(),
        snakemake=version("snakemake"),
        config=job.config,
        started=min(record.started for record in made),
        ended=max(record.ended for record in made),
        snakefile=f"{job.folder}/{_WORKFLOW}/Snakefile",
        config_file=f"{job.folder}/{_CONFIG}",
        results={kind: files for kind, files in results.items() if files},
    )


def _as_they_are(files: Iterable[Path]) -> Contents:
    return {str(file): file for file in files}


def _workflow(study: Path) -> Contents:
    files = [file for pattern in _SOURCES for file in REPOSITORY.glob(pattern)]
    return {str(study / _WORKFLOW / file.relative_to(REPOSITORY)): file for file in files}


def _description(run: Run, contents: Contents) -> bytes:
    parts = [part(name, content) for name, content in sorted(contents.items())]
    return json.dumps(crate(run, parts), indent=1).encode()


def part(name: str, content: Path | bytes) -> Part:
    """Return the digest and the size of a file of a package."""
    with _opened(content) as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    return Part(name, sha256, _size(content))


def write_zip(path: str | Path, contents: Contents) -> None:
    """Write a zip, whole or not at all. Times, modes and order of the files do not change its bytes."""
    with replace_on_success(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in sorted(contents.items()):
            entry = zipfile.ZipInfo(name)  # of 1980
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # of Unix, wherever the zip is made
            entry.compress_type, entry.file_size = zipfile.ZIP_DEFLATED, _size(content)
            with _opened(content) as file, archive.open(entry, "w") as packed:
                shutil.copyfileobj(file, packed, 1 << 20)


def _opened(content: Path | bytes) -> BinaryIO:
    return io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")


def _size(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size
