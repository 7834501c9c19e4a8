"""Whether results are still what their records say, and what this code and config would make."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pydantic import ValidationError

from tocompress.errors import StudyError
from tocompress.provenance.digests import versions
from tocompress.provenance.record import File, Record, look

#: What stands among results without being one.
_NO_RESULTS = ("logs", "provenance")
#: Parameters of a job that decide what it makes.
_COMPARED = ("settings", "code", "environment")
_SHOWN = 3  # differences of a job's settings


@dataclass(frozen=True)
class Findings:
    """What verification found: a line for each problem and each remark, and of how much."""

    problems: list[str]
    remarks: list[str]
    jobs: int
    results: int


def given_now(workflow: Any, *folders: str) -> Callable[[Any], str]:
    """A parameter: what a run would give each recorded job now, by the record's path, as JSON.

    These are its settings, and the digests of its code and environment; jobs that the config does not know any more
    are left out. Nothing is computed until a job asks for it.
    """

    def parameter(wildcards: Any) -> str:
        rules = {rule.name: dict(rule.params.items()) for rule in workflow.rules}
        return json.dumps(current(rules, *folders))

    return parameter


def current(rules: Mapping[str, Mapping[str, Any]], *folders: str) -> dict[str, dict[str, str | None]]:
    """The same as `given_now`, of rules whose parameters are texts or functions of the wildcards."""
    given = {}
    for place in _places(*folders):
        with suppress(StudyError, KeyError, AssertionError):  # unreadable, which is told later, or unknown by now
            record = _read(place)
            wildcards = SimpleNamespace(**record.wildcards)
            parameters = rules[record.rule]
            given[str(place)] = {
                name: value(wildcards) if callable(value := parameters.get(name)) else value for name in _COMPARED
            }
    return given


def _places(*folders: str) -> list[Path]:
    return sorted(file for folder in folders for file in Path(folder, "provenance").rglob("*.json"))


def _read(file: Path) -> Record:
    try:
        return Record.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        problem = str(error).splitlines()[0]
        raise StudyError(
            f"{file}: is no record of a job ({problem}); delete it, and its results to have them again"
        ) from error


def verify(study: str, downloads: str, now: Mapping[str, Mapping[str, str | None]]) -> Findings:
    """Compare the results of a study and the downloads with their records, and these with `now`, as of `current`."""
    recorded = {str(place): _read(place) for place in _places(study, downloads)}
    made = {path: file for record in recorded.values() for path, file in record.outputs.items()}
    present = _present({*made, *(path for record in recorded.values() for path in record.inputs)})
    problems = [f"{path}: {problem}" for record in recorded.values() for path, problem in _changed(record, present)]
    remarks = []
    for place, record in recorded.items():
        problems += [f"{_subject(record)}: {problem}" for problem in _other_inputs(record, present, made)]
        if place in now:
            problems += [f"{_subject(record)}: {problem}" for problem in _made_otherwise(record, now[place])]
        else:
            remarks.append(f"{_subject(record)}: not of this study any more; how it would be made now is unknown")
    if gone := [path for path in made if path not in present]:
        remarks.append(f"{gone[0]}{_more(len(gone) - 1)}: gone; what was made of it is checked by the recorded digest")
    problems += [f"{path}: no record says what made it" for path in _unrecorded(study, made)]
    return Findings(problems, remarks, jobs=len(recorded), results=len(made))


def _present(paths: set[str]) -> dict[str, File]:
    """The files that are there, as they are now."""
    there = sorted(path for path in paths if Path(path).exists())
    with ThreadPoolExecutor() as pool:
        return dict(zip(there, pool.map(look, there), strict=True))


def _changed(record: Record, present: Mapping[str, File]) -> Iterator[tuple[str, str]]:
    for path, file in record.outputs.items():
        if path in present and present[path] != file:
            yield path, f"is not what '{record.rule}' made ({_difference(file, present[path])})"


def _other_inputs(record: Record, present: Mapping[str, File], made: Mapping[str, File]) -> Iterator[str]:
    for path, file in record.inputs.items():
        # The digest in the maker's record stands in for a file that is gone.
        if (now := present.get(path, made.get(path))) is not None and now != file:
            yield f"was made from another {path} ({_difference(file, now)})"


def _made_otherwise(record: Record, now: Mapping[str, str | None]) -> Iterator[str]:
    settings = now.get("settings")
    differences = list(_differences(record.settings, json.loads(settings) if settings else None))
    if differences:
        yield "; ".join(differences[:_SHOWN]) + _more(len(differences) - _SHOWN)
    if now.get("code") != record.code:
        yield f"was made by other code of workflow/scripts/{record.script}, or of what that imports"
    if now.get("environment") != record.environment:
        yield f"was made with {_other_versions(record)}"


def _differences(then: Any, now: Any, key: str = "") -> Iterator[str]:
    """Each setting that differs, with both values."""
    if isinstance(then, dict) and isinstance(now, dict):
        for name in sorted({*then, *now}):
            yield from _differences(then.get(name), now.get(name), f"{key}.{name}" if key else name)
    elif then != now:
        yield f"{key or 'settings'}: made with {json.dumps(then)}, the config says {json.dumps(now)}"


def _other_versions(record: Record) -> str:
    now = versions(record.script)
    other = [
        f"{name} {version}, now {now.get(name)}"
        for name, version in record.versions.items()
        if now.get(name) != version
    ]
    return ", ".join(other) or "other versions of the libraries that its code imports"


def _difference(then: File, now: File) -> str:
    if then.size != now.size:
        return f"{then.size} bytes then, {now.size} now"
    return f"sha256 {str(then.sha256)[:12]} then, {str(now.sha256)[:12]} now"


def _subject(record: Record) -> str:
    first, *others = record.outputs
    return first + _more(len(others))


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def _unrecorded(study: str, made: Mapping[str, File]) -> Iterator[str]:
    """Files of a study that no record tells of; a board's kept sessions are copies of what one tells of."""
    for file in sorted(Path(study).rglob("*")):
        inside = file.relative_to(study).parts
        kept = inside[0] == "benchmarks" and len(inside) > len(("benchmarks", "device", "model", "table"))
        unfinished = any(part.startswith(".") or part.endswith((".resume", ".part")) for part in inside)
        if file.is_file() and inside[0] not in _NO_RESULTS and not kept and not unfinished and str(file) not in made:
            yield str(file)
