"""Find the marks and the axes of a search's figure: its candidates, and the requirements that bound them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from tocompress.reporting import fronts, palette, search
from tocompress.reporting.figures import panels
from tocompress.reporting.study import typed
from tocompress.schemas.study import STUDY
from tocompress.vocabulary.arithmetic import INTEGER
from tocompress.vocabulary.metrics import ACCURACY, METRICS
from tocompress.vocabulary.variants import BASELINE, BETWEEN, PRUNE, QUANTIZE

#: The stages of a configuration.
SCREENED, JUDGED = "screened", "judged"
#: Points, beyond which an axis with large losses is logarithmic.
LINEAR = 5.0
_OF_CONFIGURATION = ["variant", "judging", "share", "arithmetic", "bits", "level"]
_SPAN = {False: 2.0, True: 0.05}  # the least of an axis, by whether it is logarithmic
_ROOM = 0.07  # of the span, beyond the marks


class Axis(NamedTuple):
    """An axis of the figure: its metric (None: the order of costs) and the columns of its values."""

    metric: str | None
    value: str
    low: str
    high: str

    @property
    def logarithmic(self) -> bool:
        return self.metric is not None and self.metric not in ACCURACY

    @property
    def title(self) -> str:
        if self.metric is None:
            return "configurations, the cheapest lowest"
        of = METRICS[self.metric].title
        return f"{of} relative to fp32" if self.logarithmic else f"change of {of} from fp32 (points)"

    @property
    def origin(self) -> float:
        """Return the value of fp32."""
        return 1.0 if self.logarithmic else 0.0


class Bound(NamedTuple):
    """A requirement on an axis: its place, and its words."""

    place: float
    text: str


class Shown(NamedTuple):
    """An axis with its ends, and the requirement between them, if there is one."""

    axis: Axis
    low: float
    high: float
    bound: Bound | None

    @property
    def scale(self) -> str:
        """Return the scale: large losses shall leave room for the small ones."""
        if self.axis.logarithmic:
            return "log"
        return "symlog" if self.axis.metric and self.low < -2 * LINEAR else "linear"


def shown_axes(rows: pd.DataFrame, candidates: pd.DataFrame, answer: Mapping[str, Any]) -> tuple[Shown, Shown]:
    """Return both axes of the figure."""
    axes = Axis(answer["minimized"], "ratio", "ratio_low", "ratio_high"), _second(answer)
    across, along = (_fitted(axis, rows, _bound(axis, candidates, answer)) for axis in axes)
    return across, along


def marks(candidates: pd.DataFrame, answer: Mapping[str, Any]) -> pd.DataFrame:
    """Return a row of each mark. A configuration has one of its last screening, and one of its judging.

    `ratio` is of the minimized cost, `change` of `metric`. fp32 has one mark without intervals.
    """
    last = candidates.groupby(["variant", "judging"])["trial"].transform("max")
    rows = candidates[candidates["trial"] == last]
    cost, axis = answer["minimized"], _second(answer)
    found = _changes(rows, cost, "ratio").assign(metric=axis.metric)
    if axis.metric is None:
        found = found.sort_values("ratio", ascending=False, kind="stable")
        found["change"] = found["change_low"] = found["change_high"] = range(len(found))[::-1]
    else:
        found = found.merge(_changes(rows, axis.metric, "change"), on=_OF_CONFIGURATION)
        scale = 1.0 if axis.logarithmic else search.points(axis.metric)
        found[["change", "change_low", "change_high"]] *= scale
    return _told(_fp32_once(found, axis), answer, axis)


def _changes(rows: pd.DataFrame, metric: str, name: str) -> pd.DataFrame:
    """Return the changes of a metric to fp32 and their bounds, in columns named after `name`."""
    own = rows[rows["metric"] == metric]
    found = own[_OF_CONFIGURATION].copy()
    found[name] = own["change"]
    for bound in ("low", "high"):
        found[f"{name}_{bound}"] = own[f"change_{bound}"].fillna(own["change"])
    return found.assign(**{f"{name}_n": own["n"]})


def _fp32_once(found: pd.DataFrame, axis: Axis) -> pd.DataFrame:
    """Return the marks with the last one of fp32 alone, which differs from itself by chance only."""
    fp32 = found["variant"] == BASELINE
    kept = found[~fp32 | (found.index == found[fp32].sort_values("judging").index[-1])].copy()
    kept.loc[kept["variant"] == BASELINE, ["ratio_low", "ratio", "ratio_high"]] = 1.0
    if axis.metric is not None:
        kept.loc[kept["variant"] == BASELINE, ["change_low", "change", "change_high"]] = axis.origin
    return kept


def _told(found: pd.DataFrame, answer: Mapping[str, Any], axis: Axis) -> pd.DataFrame:
    """Return the marks with the words of each, its verdict and its place on the front."""
    words, verdicts = search.names(found), {row["variant"]: row["verdict"] for row in answer["judged"]}
    known = found[found["judging"] | ~found["variant"].isin(found.loc[found["judging"], "variant"])]
    front = _front(known, axis) if axis.metric else pd.Series(False, known.index, dtype="boolean")
    return found.assign(
        configuration=found["variant"].map(words),
        cost=answer["minimized"],
        stage=found["judging"].map({True: JUDGED, False: SCREENED}),
        verdict=found["variant"].map(verdicts).where(found["judging"]),
        on_front=front.reindex(found.index, fill_value=False).astype(bool),
        chosen=found["judging"] & (found["variant"] == answer["chosen"]),
        clear=_is_clear(found, axis),
    ).drop(columns="judging")


def _front(known: pd.DataFrame, axis: Axis) -> pd.Series[bool]:
    """Return which marks are not shown to be beaten. A second cost is as good as it is low."""
    gains = fronts.goal(known["change"], known["change_low"], known["change_high"])
    if axis.logarithmic:
        gains = fronts.goal(-known["change"], -known["change_high"], -known["change_low"])
    return fronts.front(gains, fronts.goal(known["ratio"], known["ratio_low"], known["ratio_high"]))


def _is_clear(found: pd.DataFrame, axis: Axis) -> pd.Series[bool]:
    """Return which marks differ clearly from fp32 in cost or in the second metric. fp32 stands for itself."""
    cost = found["ratio_low"].gt(1) | found["ratio_high"].lt(1)
    other = found["change_low"].gt(axis.origin) | found["change_high"].lt(axis.origin)
    return cost | (other & (axis.metric is not None)) | found["variant"].eq(BASELINE)


def looks(rows: pd.DataFrame) -> dict[str, palette.Look]:
    """Return the look of each variant of a search, as if a study had it."""
    known = rows.drop_duplicates("variant")
    bits = known["bits"].fillna("").str.split()
    methods = [
        BETWEEN.join([PRUNE] * bool(share) + [QUANTIZE] * bool(own))
        for share, own in zip(known["share"], bits, strict=True)
    ]
    table = pd.DataFrame(
        {
            "model": "searched",
            "variant": known["variant"],
            "methods": methods,
            "bits": [round(sum(map(int, own)) / len(own)) if own else None for own in bits],
            "activations": known["arithmetic"].map({INTEGER: "8"}),
            "metric": "filters_removed",
            "value": known["share"],
        }
    )
    return palette.looks(typed(table.reindex(columns=STUDY.names)))


def _second(answer: Mapping[str, Any]) -> Axis:
    """Return the second axis: the first required accuracy, else another required metric, else none."""
    required = [row["metric"] for row in answer["judged"][0]["requirements"] if row["metric"] != answer["minimized"]]
    ordered = sorted(required, key=lambda metric: metric not in ACCURACY)
    return Axis(ordered[0] if ordered else None, "change", "change_low", "change_high")


def _bound(axis: Axis, candidates: pd.DataFrame, answer: Mapping[str, Any]) -> Bound | None:
    """Return the requirement that an axis shows. Its place is relative to the fp32 of the judging."""
    rows = [row for row in answer["judged"][0]["requirements"] if row["metric"] == axis.metric]
    if not rows:
        return None
    bound, text = rows[0]["bound"], search.requirement(rows[0])
    fp32 = candidates[candidates["judging"] & (candidates["variant"] == BASELINE)].set_index("metric")["value"]
    if axis.logarithmic:
        return Bound(bound / fp32[axis.metric], text)
    change = -bound if rows[0]["requirement"] == search.LOSS else bound - fp32[axis.metric]
    return Bound(search.points(str(axis.metric)) * change, text)


def _fitted(axis: Axis, rows: pd.DataFrame, bound: Bound | None) -> Shown:
    """Return an axis that shows all marks. A requirement that is further away than they span stays outside."""
    to, back = (math.log10, lambda place: 10.0**place) if axis.logarithmic else (float, float)
    lows, values, highs = (rows[name].map(to) for name in (axis.low, axis.value, axis.high))
    least = _SPAN[axis.logarithmic]
    low, high = panels.reach(lows, values, highs, least)
    span = max(high - low, least)
    within = bound is not None and low - span <= to(bound.place) <= high + span
    if bound and within:
        low, high = min(low, to(bound.place)), max(high, to(bound.place))
    room = max(_ROOM * (high - low), (least - (high - low)) / 2)
    return Shown(axis, back(low - room), back(high + room), bound if within else None)
