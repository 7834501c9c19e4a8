"""Figure 27: the effect of compression on the memory that inference needs."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from tocompress.reporting.figures import captions, comparison
from tocompress.reporting.figures.captions import Caption
from tocompress.reporting.figures.comparison import Line
from tocompress.reporting.thresholds import mildest, pruned
from tocompress.settings.reporting import Plot


def _lines(study: pd.DataFrame, plot: Plot) -> list[Line]:
    """Return a line of one panel, with only the mildest cut as in the paper. Figure 24 shows larger cuts."""
    hidden = [variant for variant in pruned(study) if variant != mildest(study)]
    return [comparison.line(study[~study["variant"].isin(hidden)], [comparison.MEMORY], plot)]


def table(study: pd.DataFrame, plot: Plot) -> pd.DataFrame:
    """Return the rows of memory."""
    return comparison.table(_lines(study, plot))


def draw(study: pd.DataFrame, plot: Plot) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel, with a row for each variant of a model."""
    lines = _lines(study, plot)
    return comparison.draw(study, lines), comparison.table(lines)


def caption(study: pd.DataFrame, plot: Plot) -> Caption:
    values = table(study, plot)
    return Caption(
        captions.tally_of(values, "memory"),
        captions.compose(
            "Each row is a variant's runtime memory relative to the uncompressed model.", captions.weights_are(values)
        ),
        captions.compose(
            captions.FILLED,
            "Memory is the peak of a fresh process while it infers (from the second inference on), above that of a"
            " control process without a model.",
            "Of pruning alone the smallest cut is shown, as in the paper. Figure 24 shows the others."
            if mildest(study)
            else "",
            captions.measurements(study, values, captions.ARROWS),
        ),
    )
