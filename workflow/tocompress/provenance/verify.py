"""Verify that the files of a study still agree with the records of their jobs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from tocompress.errors import StudyError
from tocompress.provenance.record import File, Record, look

_RECORDS = "provenance"
#: Folders of a study, and of a trial in it, that hold no results.
_NO_RESULTS = {"logs", _RECORDS}


@dataclass(frozen=True)
class Problem:
    """One reason not to trust some results."""

    results: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        first, *others = self.results
        return f"{first}{f' and {len(others)} more' if others else ''}: {self.reason}"


@dataclass(frozen=True)
class Findings:
    """The problems, a remark for each missing file that is no problem, and the numbers of jobs and results.

    A result may have several problems.
    """

    problems: list[Problem]
    remarks: list[str]
    jobs: int
    results: int

    @property
    def doubtful(self) -> int:
        """Return the number of results that have a problem."""
        return len({result for problem in self.problems for result in problem.results})


def verify(study: str, downloads: str, targets: Collection[str] = ()) -> Findings:
    """Compare the files in the folders `study` and `downloads` with the records of the jobs that made them.

    A missing file is a problem if nothing was made from it or if it is among the `targets`. Raise StudyError where the
    study has no results.
    """
    own = places(study)
    records, problems = _records([*own, *places(downloads)])
    made = {path: file for record in records for path, file in record.outputs.items()}
    used = {path for record in records for path in record.inputs}
    present = _present({*made, *used})
    spent = used - present.keys() - {*targets}
    unrecorded = list(_unrecorded(study, made))
    if not (own or unrecorded):
        raise StudyError(f"{study}: holds no results yet; name the config that made some, with --configfile")
    problems += [problem for record in records for problem in _other_outputs(record, present, spent)]
    problems += [problem for record in records for problem in _other_inputs(record, present, made)]
    problems += [Problem((path,), "no record says what made it") for path in unrecorded]
    known = {*made, *(path for problem in problems for path in problem.results)}
    return Findings(problems, [_remark(path, made) for path in sorted(spent)], len(records), len(known))


def places(folder: str) -> list[Path]:
    """Return the files of all records in a folder."""
    return sorted(place for records in Path(folder).rglob(_RECORDS) for place in records.rglob("*.json"))


def _records(places: Iterable[Path]) -> tuple[list[Record], list[Problem]]:
    """Return the records, each with the outputs that no later job made again, and a problem for each damaged one."""
    records, problems = [], []
    for place in places:
        try:
            records.append(Record.model_validate_json(place.read_bytes()))
        except (OSError, ValidationError) as error:
            detail = str(error).splitlines()[0]
            reason = f"is no record of a job ({detail}); delete it, and its results to have them again"
            problems.append(Problem((str(place),), reason))
    # Two rules may make the same file in turn, for example where a technique that pruned now quantizes.
    latest = {path: record for record in sorted(records, key=lambda record: record.ended) for path in record.outputs}
    kept = [
        record.model_copy(
            update={"outputs": {path: record.outputs[path] for path in record.outputs if latest[path] is record}}
        )
        for record in records
    ]
    return [record for record in kept if record.outputs], problems


def _present(paths: Collection[str]) -> dict[str, File]:
    there = [path for path in paths if Path(path).exists()]
    with ThreadPoolExecutor() as pool:
        return dict(zip(there, pool.map(look, there), strict=True))


def _unrecorded(study: str, made: Mapping[str, File]) -> Iterator[str]:
    """Yield the files of the study that no record names, without copies of a board's sessions and unfinished files."""
    for file in sorted(Path(study).rglob("*")):
        inside = file.relative_to(study).parts
        _, session, table = "/".join(inside).rpartition("benchmarks/")
        kept = bool(session) and table.count("/") > len(("device", "model"))
        unfinished = any(part.startswith(".") or part.endswith((".resume", ".part")) for part in inside)
        if file.is_file() and not _NO_RESULTS & {*inside} and not kept and not unfinished and str(file) not in made:
            yield str(file)


def _other_outputs(record: Record, present: Mapping[str, File], spent: Collection[str]) -> Iterator[Problem]:
    for path, file in record.outputs.items():
        if path not in present:
            if path not in spent:
                yield Problem((path,), "is gone")
        elif present[path] != file:
            yield Problem((path,), f"is not what '{record.rule}' made ({_difference(file, present[path])})")


def _other_inputs(record: Record, present: Mapping[str, File], made: Mapping[str, File]) -> Iterator[Problem]:
    for path, file in record.inputs.items():
        # The digest in its maker's record stands in for a missing file.
        now = present.get(path, made.get(path, file))
        if now != file:
            yield Problem(tuple(record.outputs), f"was made from another {path} ({_difference(file, now)})")


def _difference(then: File, now: File) -> str:
    if then.size != now.size:
        return f"{then.size} bytes then, {now.size} now"
    return f"sha256 {str(then.sha256)[:12]} then, {str(now.sha256)[:12]} now"


def _remark(path: str, made: Collection[str]) -> str:
    left = "its recorded digest stands in for it" if path in made else "what was made of it is not compared with it"
    return f"{path}: gone; {left}"
