"""Tell the outcome of a search: one sentence, the tables behind it, and the chosen artifact in a folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tocompress.files import replace_folder_on_success
from tocompress.measurement.statistics import Interval, exponential
from tocompress.schemas.study import CANDIDATES
from tocompress.search import evidence
from tocompress.search.find import Found
from tocompress.search.judging import Finding
from tocompress.search.progress import Observed
from tocompress.search.space import UNCOMPRESSED, Configuration, in_words
from tocompress.search.trials import Trial, make
from tocompress.settings.search import Limit
from tocompress.vocabulary.levels import LEVEL
from tocompress.vocabulary.metrics import ACCURACY, METRICS

#: Unit of a metric -> factor and unit in a sentence.
_IN_WORDS = {"fraction": (100, "%"), "byte": (1e-6, " MB"), "ms": (1, " ms"), "J": (1e3, " mJ"), "W": (1, " W")}


def candidates(found: Found) -> pd.DataFrame:
    """Return the table `candidates`: each metric of each configuration in each round, with its interval."""
    rows = [
        row
        for number, (observed, trial) in enumerate(zip(found.history, found.trials, strict=True), 1)
        for row in _rows(found, number, observed, trial)
    ]
    return pd.DataFrame(rows, columns=CANDIDATES.names)


def _rows(found: Found, number: int, observed: Observed, trial: Trial) -> Iterator[dict[str, Any]]:
    judging = observed.round.kind == "judge"
    level = found.outcome.level if judging else LEVEL
    for metric, values in observed.evidence.values.items():
        changes = evidence.changes(metric, [values[0]] * len(values), list(values), level)
        for configuration, own, change in zip(observed.evidence.configurations, values, changes, strict=True):
            value, to_fp32 = evidence.value(metric, own, level), change if metric in ACCURACY else exponential(change)
            yield {
                "model": trial.model,
                "trial": number,
                "judging": judging,
                "variant": trial.variants[configuration],
                "share": configuration.share,
                "arithmetic": configuration.arithmetic,
                "bits": bits_of(configuration),
                "metric": metric,
                "unit": METRICS[metric].unit,
                **_bounds(value),
                **_bounds(to_fp32, "change", "change_low", "change_high"),
                "level": level,
                "n": int(np.isfinite(own).sum()),
                "chosen": configuration == found.outcome.chosen,
            }


def _bounds(interval: Interval, *names: str) -> dict[str, float | None]:
    """Return a value and its bounds, which are null where too little was observed."""
    known = [bound if bound is None or np.isfinite(bound) else None for bound in interval]
    return dict(zip(names or ("value", "low", "high"), known, strict=True))


def answer(found: Found) -> dict[str, Any]:
    """Return the outcome: the sentence, the chosen variant, and how far each last candidate meets the requirements."""
    outcome, judging = found.outcome, found.trials[-1]
    return {
        "model": judging.model,
        "answer": sentence(found),
        "met": outcome.met,
        "chosen": None if outcome.chosen is None else judging.variants[outcome.chosen],
        "device": judging.device,
        "runtime": judging.runtime,
        "minimized": found.problem.search.minimize,
        "level": outcome.level,
        "tried": outcome.tried,
        "rounds": len(found.history),
        "seconds": sum(observed.seconds for observed in found.history),
        "judged": [_judged(found, finding) for finding in outcome.judged],
    }


def _judged(found: Found, finding: Finding) -> dict[str, Any]:
    requirements = [
        {
            "metric": limit.metric,
            "requirement": limit.kind,
            "bound": limit.bound,
            "unit": METRICS[limit.metric].unit,
            **_bounds(finding.intervals[limit.metric]),
            "missing": finding.missing[limit.metric],
        }
        for limit in found.problem.limits
    ]
    variant = found.trials[-1].variants[finding.configuration]
    return {"variant": variant, "verdict": finding.verdict.value, "requirements": requirements}


def sentence(found: Found) -> str:
    """Return the answer in one sentence, with the interval of each requirement."""
    outcome, judging = found.outcome, found.trials[-1]
    if outcome.chosen is None:
        nearest = min(outcome.judged, key=lambda finding: sum(gap > 0 for gap in finding.missing.values()))
        gaps = [
            _gap(limit, finding_gap)
            for limit in found.problem.limits
            if (finding_gap := nearest.missing[limit.metric]) > 0
        ]
        return (
            f"No configuration of {judging.model} surely meets the requirements: {outcome.tried} were tried, and the"
            f" nearest, {_named(found, nearest.configuration)}, lacks {' and '.join(gaps)}."
        )
    chosen = next(finding for finding in outcome.judged if finding.configuration == outcome.chosen)
    told = [_minimized(found, outcome.chosen)]
    told += [_told(limit, chosen.intervals[limit.metric]) for limit in found.problem.limits]
    return (
        f"Take {_named(found, outcome.chosen)} of {judging.model}: {', '.join(told)}"
        f" ({outcome.tried} configurations were tried)."
    )


def _named(found: Found, configuration: Configuration) -> str:
    """Return a configuration in words, and the name of its variant."""
    words = in_words(configuration.share, configuration.arithmetic, bits_of(configuration))
    variant = found.trials[-1].variants[configuration]
    return words if words == variant else f"{words} ({variant})"


def bits_of(configuration: Configuration) -> str:
    """Return the bits of each group, as a text for tables."""
    return " ".join(map(str, configuration.bits))


def _minimized(found: Found, chosen: Configuration) -> str:
    """Return the cost of the chosen configuration in words, as a share of the uncompressed network's."""
    metric, judged = found.problem.search.minimize, found.history[-1].evidence
    pair = [judged.of(metric, configuration) for configuration in (UNCOMPRESSED, chosen)]
    (change,) = evidence.changes(metric, pair[:1], pair[1:], found.outcome.level)
    return f"{_between(exponential(change))} of the {METRICS[metric].title} of fp32"


def _told(limit: Limit, interval: Interval, titled: bool = True) -> str:
    """Return the interval of a requirement in words."""
    factor, unit = _IN_WORDS.get(METRICS[limit.metric].unit, (1, ""))
    title = METRICS[limit.metric].title
    if limit.kind == "lose at most":
        title, unit = f"change of {title}", " points"
    told = f"{_between(interval, factor)}{unit}"
    return f"{title} {told}" if titled else told


def _between(interval: Interval, factor: float = 1) -> str:
    """Return the bounds of an interval in words, or the one number that they are."""
    low, high = (f"{factor * float(bound or 0):.3g}" for bound in interval[1:])
    return low if low == high else f"{low} to {high}"


def _gap(limit: Limit, missing: float) -> str:
    factor, unit = _IN_WORDS.get(METRICS[limit.metric].unit, (1, ""))
    unit = " points" if limit.metric in ACCURACY else unit
    return f"{factor * missing:.3g}{unit} of {METRICS[limit.metric].title}"


def write_chosen(folder: str | Path, found: Found, cores: int, snakefile: Path) -> None:
    """Write the folder of the chosen artifact: its bundle and the answer. Without one, it holds the answer alone."""
    judging, chosen = found.trials[-1], found.outcome.chosen
    bundle = None
    if chosen is not None:
        bundle = judging.of_variant(judging.paths.bundle, judging.variants[chosen])
        make(judging, [bundle], cores, snakefile)
    with replace_folder_on_success(folder) as temporary:
        if bundle is not None:
            shutil.copytree(bundle, temporary, dirs_exist_ok=True)
        (temporary / "answer.md").write_text(_page(found), encoding="utf-8")


def _page(found: Found) -> str:
    """Return the answer as Markdown, with a row of each last candidate."""
    limits, outcome = found.problem.limits, found.outcome
    rows = [["candidate", "verdict", *map(_required, limits)], ["---"] * (2 + len(limits))]
    rows += [
        [_named(found, finding.configuration), finding.verdict.value, *(_cell(limit, finding) for limit in limits)]
        for finding in outcome.judged
    ]
    table = [f"| {' | '.join(row)} |" for row in rows]
    lines = [f"# {found.trials[-1].model}", "", sentence(found), "", *table, ""]
    lines += [
        "The candidates were judged in this order, and the first that meets all is taken. Each interval holds at"
        f" {100 * outcome.level:.3g} %, so that all of them hold at {100 * LEVEL:g} % together."
        " A change is to fp32, and a loss is negative."
    ]
    return "\n".join(lines) + "\n"


def _required(limit: Limit) -> str:
    """Return a requirement in words."""
    factor, unit = _IN_WORDS.get(METRICS[limit.metric].unit, (1, ""))
    if limit.kind == "lose at most":
        return f"change of {METRICS[limit.metric].title}, at least {-factor * limit.bound:g} points"
    return f"{METRICS[limit.metric].title} {limit.kind} {factor * limit.bound:g}{unit}"


def _cell(limit: Limit, finding: Finding) -> str:
    """Return the interval of a requirement in words, and the part that is missing."""
    told = _told(limit, finding.intervals[limit.metric], titled=False)
    gap = finding.missing[limit.metric]
    return f"{told} ({_gap(limit, gap)} missing)" if gap > 0 else told
