"""Figure 13: the effect of the number of bits, in each arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting import style
from tocompress.reporting.figures import captions, comparison
from tocompress.reporting.figures.comparison import Line, Panel
from tocompress.reporting.study import by_runtime, devices, made_by, of_device, runtimes, select, variants, whole
from tocompress.settings.reporting import Plot
from tocompress.vocabulary.arithmetic import ARITHMETICS, IN_SHORT, in_print
from tocompress.vocabulary.runtimes import title
from tocompress.vocabulary.variants import BASELINE, QUANTIZE

EVERY_RUNTIME = True

_TALLEST = 9.0  # inches, of the figure
_PITCH, _DOT = 0.24, 0.055  # inches, of a row at least, and of a dot in it
#: The panels of what no arithmetic changes, and those of each arithmetic.
_OF_ARTIFACTS = (comparison.SIZE, comparison.ACCURACY, comparison.F1)
_TIME, _POWER = {"latency": "o"}, {"energy": "o", "power_peak": "^"}


@dataclass(frozen=True)
class _Filled:
    """A panel and its rows of the study."""

    panel: Panel
    rows: pd.DataFrame

    @property
    def compared(self) -> pd.DataFrame:
        """Return the rows with a ratio to another variant's value."""
        return self.rows[self.rows["ratio"].notna() & self.rows["variant"].ne(BASELINE)]


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return the rows of all panels, each with its panel's letter.

    The rows of an arithmetic are of the first runtime that computes so. Sizes and accuracies of a variant are of the
    first runtime that executes it.
    """
    filled = [one for line in _lines(study, plot) for one in line]
    letters = comparison.lettered([one.panel for one in filled])
    return pd.concat(
        [one.rows.assign(panel=name) for name, one in zip(letters, filled, strict=True)], ignore_index=True
    )


def _lines(study: pd.DataFrame, plot: Plot) -> list[list[_Filled]]:
    """Return the lines of panels: time, artifacts, energy and power. Lines without ratios come last."""
    shown = study[study["variant"].isin([BASELINE, *made_by(study, QUANTIZE)])]
    lines = [
        list(_in_each_arithmetic(shown, "time", _TIME)),
        [_Filled(panel, _of_artifacts(shown, panel, plot)) for panel in _OF_ARTIFACTS],
        list(_in_each_arithmetic(shown, "energy", _POWER)),
    ]
    return sorted(filter(None, lines), key=lambda line: all(one.compared.empty for one in line))


def _in_each_arithmetic(shown: pd.DataFrame, name: str, markers: dict[str, str]) -> Iterator[_Filled]:
    """Yield a panel of each arithmetic that any runtime was measured in."""
    tables = by_runtime(shown)
    for mode in ARITHMETICS:
        for runtime, own in tables.items():
            computing = variants(own[own["arithmetic"] == mode])
            if computing:
                rows = of_device(whole(own, *markers), *devices(own)[:1])
                known = rows["arithmetic"].eq(mode) | rows["variant"].eq(BASELINE)
                measured = rows.loc[rows["value"].notna(), "metric"]
                refused = rows["arithmetic"].isna() & rows["variant"].isin(computing) & rows["metric"].isin(measured)
                label = f"relative to fp32 in {title(runtime)}" if runtime else ""
                yield _Filled(Panel(f"{name}: {IN_SHORT[mode]}", markers, label=label), rows[known | refused])
                break


def _of_artifacts(shown: pd.DataFrame, panel: Panel, plot: Plot) -> pd.DataFrame:
    """Return a panel's rows of each variant, from the first runtime that executes it."""
    parts: list[pd.DataFrame] = []
    for own in by_runtime(shown).values():
        seen = {variant for part in parts for variant in part["variant"]}
        rows = select(own, *panel.markers, arithmetic=plot.arithmetic)
        parts.append(rows[~rows["variant"].isin(seen)])
    return pd.concat(parts)


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw lines of panels, with models as rows and variants as colours. Lines without ratios are left out."""
    lines = _lines(study, plot)
    letters = iter(comparison.lettered([one.panel for line in lines for one in line]))
    drawn = [line for line in lines if not all(one.compared.empty for one in line)] or lines[:1]
    natural = [_line(study, line, letters) for line in drawn]
    return comparison.draw_lines(study, table(study, plot), _fitting(natural)), table(study, plot)


def _line(study: pd.DataFrame, line: Sequence[_Filled], letters: Iterator[str]) -> Line:
    """Return a line of panels with its measured models. Rows are high enough for the dots."""
    compared = pd.concat([one.compared for one in line])
    models = style.measured_models(study, compared)
    dots = max(
        (one.compared.groupby("model")["variant"].nunique().max() for one in line if len(one.compared)), default=1
    )
    panels = {next(letters): one.panel for one in line}
    return Line(panels, models, max(_PITCH, _DOT * dots), alike=line[0].panel.title.startswith(("time", "energy")))


def _fitting(lines: Sequence[Line]) -> list[Line]:
    """Return the lines with rows low enough for a page."""
    wanted = sum(line.pitch * len(line.models) for line in lines)
    room = _TALLEST - sum(comparison.height(line) - line.pitch * len(line.models) for line in lines)
    return [Line(line.panels, line.models, line.pitch * min(1.0, room / wanted), line.alike) for line in lines]


def caption(study: pd.DataFrame, plot: Plot) -> str:
    rows = table(study, plot)
    return captions.compose(
        "Quantization by bit width, relative to the uncompressed model in the same runtime: inference time in each"
        " arithmetic, file size, accuracy (top-1 and top-5, BLEU for GNMT), precision, recall and F1 (macro averages),"
        " energy an inference and peak power.",
        captions.options_of(rows),
        _arithmetics(rows),
        captions.TRAINED_ONLY,
        captions.few_bits_sentence(study, rows),
        captions.measurements(study, rows, f"{captions.ARROWS}; those of precision and recall are in the table only"),
    )


def _arithmetics(rows: pd.DataFrame) -> str:
    """Return which runtime shows each arithmetic of quantized weights."""
    computing = rows[rows["arithmetic"].isin(ARITHMETICS)]
    phrases = [
        f"{in_print(mode)} ({captions.listing(map(title, runtimes(own)))})"
        for mode in ARITHMETICS
        if len(own := computing[computing["arithmetic"] == mode])
    ]
    return f"Costs are of weights {captions.listing(phrases)}." if phrases else ""
