"""Whether results are still what their records say, and what this code and config would make."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pydantic import ValidationError

from tocompress.errors import StudyError
from tocompress.provenance.digests import versions
from tocompress.provenance.record import File, Record, look
from tocompress.settings.study import Study
from tocompress.vocabulary.variants import BASELINE

#: What stands among results without being one.
_NO_RESULTS = ("logs", "provenance")
#: Parameters of a job that decide what it makes.
_COMPARED = ("settings", "code", "environment")
#: What is shown of a job's settings: differences, and characters of a value.
_SHOWN, _LENGTH = 3, 60


@dataclass(frozen=True)
class Problem:
    """What is wrong with some results."""

    results: tuple[str, ...]
    what: str

    def __str__(self) -> str:
        return f"{_and_more(self.results)}: {self.what}"


@dataclass(frozen=True)
class Findings:
    """What verification found, in how many results of how many jobs; a remark is a line."""

    problems: list[Problem]
    remarks: list[str]
    jobs: int
    results: int

    @property
    def doubtful(self) -> int:
        """How many results have a problem."""
        return len({result for problem in self.problems for result in problem.results})


def given_now(workflow: Any, study: Study, *folders: str) -> Callable[[Any], str]:
    """A parameter: what a run would give each recorded job now, by the record's path, as JSON.

    These are its settings, and the digests of its code and environment; jobs that the study does not ask for
    are left out. Nothing is computed until a job asks for it.
    """

    def parameter(wildcards: Any) -> str:
        rules = {rule.name: dict(rule.params.items()) for rule in workflow.rules}
        return json.dumps(current(rules, partial(selects, study), *folders))

    return parameter


def current(
    rules: Mapping[str, Mapping[str, Any]], selected: Callable[[Mapping[str, str]], bool], *folders: str
) -> dict[str, dict[str, str | None]]:
    """The same as `given_now`, of rules whose parameters are texts or functions of the wildcards."""
    given = {}
    for place in _places(*folders):
        # Unreadable, which is told later, or of what the config does not define any more, or otherwise.
        with suppress(StudyError, KeyError, AttributeError, AssertionError):
            record = _read(place)
            parameters = rules[record.rule]
            wildcards = SimpleNamespace(**record.wildcards)
            if selected(record.wildcards):
                given[str(place)] = {
                    name: value(wildcards) if callable(value := parameters.get(name)) else value for name in _COMPARED
                }
    return given


def selects(study: Study, wildcards: Mapping[str, str]) -> bool:
    """Whether a study asks for what the wildcards of a job stand for; of a variant's parents it does."""
    models = study.study.models
    known: dict[str, Collection[str]] = {
        "model": study.benchmarked if "device" in wildcards else models,
        "device": study.study.devices,
        "figure": study.study.figures,
        "dataset": {study.models[model].data for model in models},
    }
    if (model := wildcards.get("model")) in models:
        known["variant"] = known["structure"] = {BASELINE, *_with_parents(study.variants(model))}
    return all(wildcards[name] in values for name, values in known.items() if name in wildcards)


def _with_parents(variants: Iterable[str]) -> Iterator[str]:
    for variant in variants:
        yield from accumulate(variant.split("-"), "{}-{}".format)


def _places(*folders: str) -> list[Path]:
    return sorted(file for folder in folders for file in Path(folder, "provenance").rglob("*.json"))


def _read(file: Path) -> Record:
    try:
        return Record.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        problem = str(error).splitlines()[0]
        raise StudyError(f"is no record of a job ({problem}); delete it, and its results to have them again") from error


def verify(
    study: str, downloads: str, now: Mapping[str, Mapping[str, str | None]], targets: Collection[str] = ()
) -> Findings:
    """Compare the results of a study and the downloads with their records, and these with `now`, as of `current`.

    What others were made of may be gone, unless it is among the `targets`. StudyError where the study has no results.
    """
    recorded, problems = _records(_places(study, downloads))
    made = {path: file for record in recorded.values() for path, file in record.outputs.items()}
    used = {path for record in recorded.values() for path in record.inputs}
    present = _present({*made, *used})
    spent = used - present.keys() - {*targets}
    unrecorded = list(_unrecorded(study, made))
    if not (_places(study) or unrecorded):
        raise StudyError(f"{study}: holds no results yet; name the config that made some, with --configfile")
    problems += [problem for record in recorded.values() for problem in _changed(record, present, spent)]
    remarks = []
    for place, record in recorded.items():
        results = tuple(record.outputs)
        problems += [Problem(results, what) for what in _other_inputs(record, present, made)]
        if place in now:
            problems += [Problem(results, what) for what in _made_otherwise(record, now[place])]
        else:
            remarks.append(f"{_and_more(results)}: this study does not select it; only its files were compared")
    for path in sorted(spent):
        left = "its recorded digest stands in for it" if path in made else "what was made of it is not compared with it"
        remarks.append(f"{path}: gone; {left}")
    problems += [Problem((path,), "no record says what made it") for path in unrecorded]
    known = {*made, *(path for problem in problems for path in problem.results)}
    return Findings(problems, remarks, jobs=len(recorded), results=len(known))


def _records(places: Iterable[Path]) -> tuple[dict[str, Record], list[Problem]]:
    """The records, each of those outputs that no later job made again, and what is wrong with the others."""
    read, problems = {}, []
    for place in places:
        try:
            read[str(place)] = _read(place)
        except StudyError as error:
            problems.append(Problem((str(place),), str(error)))
    # Two rules may make the same file in turn: a technique that pruned may quantize by now.
    latest = {
        path: place for place, record in sorted(read.items(), key=lambda item: item[1].ended) for path in record.outputs
    }
    kept = {
        place: record.model_copy(
            update={"outputs": {path: file for path, file in record.outputs.items() if latest[path] == place}}
        )
        for place, record in read.items()
    }
    return {place: record for place, record in kept.items() if record.outputs}, problems


def _present(paths: set[str]) -> dict[str, File]:
    """The files that are there, as they are now."""
    there = sorted(path for path in paths if Path(path).exists())
    with ThreadPoolExecutor() as pool:
        return dict(zip(there, pool.map(look, there), strict=True))


def _changed(record: Record, present: Mapping[str, File], spent: Collection[str]) -> Iterator[Problem]:
    for path, file in record.outputs.items():
        if path not in present:
            if path not in spent:
                yield Problem((path,), "is gone")
        elif present[path] != file:
            yield Problem((path,), f"is not what '{record.rule}' made ({_difference(file, present[path])})")


def _other_inputs(record: Record, present: Mapping[str, File], made: Mapping[str, File]) -> Iterator[str]:
    for path, file in record.inputs.items():
        # The digest in the maker's record stands in for a file that is gone.
        if (now := present.get(path, made.get(path))) is not None and now != file:
            yield f"was made from another {path} ({_difference(file, now)})"


def _made_otherwise(record: Record, now: Mapping[str, str | None]) -> Iterator[str]:
    settings = now.get("settings")
    differences = list(_differences(record.settings, json.loads(settings) if settings else None))
    if differences:
        more = f"; and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
        yield "; ".join(differences[:_SHOWN]) + more
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
        yield f"{key or 'settings'}: made with {_shown(then)}, the config says {_shown(now)}"


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LENGTH else f"{text[:_LENGTH]}..."


def _other_versions(record: Record) -> str:
    then, now = record.versions, versions(record.script)
    other = [
        f"{name} {then.get(name) or 'absent'}, now {now.get(name) or 'absent'}"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]
    return "; ".join(other) or "other versions of the libraries that its code imports"


def _difference(then: File, now: File) -> str:
    if then.size != now.size:
        return f"{then.size} bytes then, {now.size} now"
    return f"sha256 {str(then.sha256)[:12]} then, {str(now.sha256)[:12]} now"


def _and_more(results: Sequence[str]) -> str:
    return results[0] + (f" and {len(results) - 1} more" if len(results) > 1 else "")


def _unrecorded(study: str, made: Mapping[str, File]) -> Iterator[str]:
    """Files of a study that no record tells of; a board's kept sessions are copies of what one tells of."""
    for file in sorted(Path(study).rglob("*")):
        inside = file.relative_to(study).parts
        kept = inside[0] == "benchmarks" and len(inside) > len(("benchmarks", "device", "model", "table"))
        unfinished = any(part.startswith(".") or part.endswith((".resume", ".part")) for part in inside)
        if file.is_file() and inside[0] not in _NO_RESULTS and not kept and not unfinished and str(file) not in made:
            yield str(file)
