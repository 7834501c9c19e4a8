"""Figure 13: the effect of the number of bits, in each arithmetic."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting.figures import captions, comparison
from tocompress.reporting.figures.captions import Caption
from tocompress.reporting.figures.comparison import Filled, Line, Panel
from tocompress.reporting.study import by_runtime, devices, made_by, of_device, runtimes, select, variants, whole
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.arithmetic import ARITHMETICS, IN_SHORT, in_print
from tocompress.vocabulary.metrics import METRICS
from tocompress.vocabulary.runtimes import title
from tocompress.vocabulary.variants import BASELINE, QUANTIZE

EVERY_RUNTIME = True

#: The panels of each arithmetic, and those that no arithmetic changes.
_COSTS = {"latency": "time", "energy": "energy", "power_peak": "power"}
_OF_ARTIFACTS = (comparison.SIZE, comparison.ACCURACIES, comparison.F1)


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return the rows of all panels, each with its panel's letter.

    The rows of an arithmetic are of the first runtime that computes so. Sizes and accuracies of a variant are of the
    first runtime that executes it.
    """
    return comparison.table(_lines(study, plot))


def _lines(study: pd.DataFrame, plot: Plot) -> list[Line]:
    """Return the lines of panels: time, artifacts, energy and power."""
    shown = study[study["variant"].isin([BASELINE, *made_by(study, QUANTIZE)])]
    time, *others = (Line(list(_in_each_arithmetic(shown, metric)), alike=True) for metric in _COSTS)
    artifacts = Line([Filled(panel, _of_artifacts(shown, panel, plot)) for panel in _OF_ARTIFACTS])
    return [time, artifacts, *others]


def _in_each_arithmetic(shown: pd.DataFrame, metric: str) -> Iterator[Filled]:
    """Yield a panel of each arithmetic that any runtime was measured in."""
    tables = by_runtime(shown)
    for mode in ARITHMETICS:
        for runtime, own in tables.items():
            computing = variants(own[own["arithmetic"] == mode])
            if computing:
                rows = of_device(whole(own, metric), *devices(own)[:1])
                known = rows["arithmetic"].eq(mode) | rows["variant"].eq(BASELINE)
                refused = rows["arithmetic"].isna() & rows["variant"].isin(computing) & rows["value"].isna()
                label = f"relative to fp32 in {title(runtime)}" if runtime else "relative to fp32"
                name = f"{_COSTS[metric]}: {IN_SHORT[mode]}"
                yield Filled(Panel(name, [metric], label=label), rows[known | refused])
                break


def _of_artifacts(shown: pd.DataFrame, panel: Panel, plot: Plot) -> pd.DataFrame:
    """Return a panel's rows of each variant, from the first runtime that executes it."""
    parts: list[pd.DataFrame] = []
    for own in by_runtime(shown).values():
        seen = {variant for part in parts for variant in part["variant"]}
        rows = select(own, *panel.metrics, *panel.further, arithmetic=plot.arithmetic)
        parts.append(rows[~rows["variant"].isin(seen)])
    return pd.concat(parts)


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw lines of panels, with a row for each variant of a model."""
    lines = _lines(study, plot)
    return comparison.draw(study, lines), comparison.table(lines)


def caption(study: pd.DataFrame, plot: Plot) -> Caption:
    time, artifacts, *_ = _lines(study, plot)
    rows = table(study, plot)
    groups = {
        f"{METRICS['latency'].title} with weights {in_print(mode)}{_in(own)}": own for mode, own in _by_arithmetic(time)
    }
    accuracies = next(one.compared for one in artifacts.filled if one.panel is comparison.ACCURACIES)
    return Caption(
        captions.tally(groups | {"accuracy": accuracies}),
        "Each row is a variant with fewer bits, relative to the uncompressed model in the same runtime.",
        captions.compose(
            captions.FILLED,
            "File size, accuracy (top-1, BLEU for GNMT) and F1 (macro average) are the same in all arithmetics. Top-5,"
            " precision and recall are in the table only.",
            captions.options_of(rows),
            _arithmetics(rows),
            captions.TRAINED_ONLY,
            captions.few_bits_sentence(study, rows),
            captions.measurements(study, rows, captions.ARROWS),
        ),
    )


def _in(rows: pd.DataFrame) -> str:
    """Return the runtime that shows the times of an arithmetic."""
    return "".join(f" in {title(runtime)}" for runtime in runtimes(rows)[:1])


def _by_arithmetic(time: Line) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the arithmetic and the shown rows of each panel."""
    for one in time.filled:
        for mode, own in one.compared.groupby("arithmetic", sort=False):
            yield str(mode), own


def _arithmetics(rows: pd.DataFrame) -> str:
    """Return which runtime shows each arithmetic of quantized weights."""
    computing = rows[rows["arithmetic"].isin(ARITHMETICS)]
    phrases = [
        f"{in_print(mode)} ({captions.listing(map(title, runtimes(own)))})"
        for mode in ARITHMETICS
        if len(own := computing[computing["arithmetic"] == mode])
    ]
    return f"Costs are of weights {captions.listing(phrases)}." if phrases else ""
