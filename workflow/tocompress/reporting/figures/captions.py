"""Write the sentences of captions: device, observations, intervals, missing values and their reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tocompress.reporting import thresholds
from tocompress.reporting.study import (
    as_shown,
    by_runtime,
    controls,
    devices,
    is_clear,
    is_unsettled,
    of_quantized,
    runtimes,
    variants,
    whole,
)
from tocompress.reporting.style import model_name, quantity
from tocompress.vocabulary.arithmetic import ARITHMETICS, in_print
from tocompress.vocabulary.metrics import ACCURACY, JUDGES, METRICS
from tocompress.vocabulary.runtimes import title
from tocompress.vocabulary.variants import BASELINE, QUANTIZE, methods_of

#: The meaning of a pruned variant's name.
_THRESHOLD = (
    "The number in pNN is the share of prunable filters (units and embedding dimensions in GNMT) to remove, in percent:"
    " one reading of the paper's threshold."
)

TRAINED_ONLY = "Accuracy is judged on trained models only."
_FEW_BITS = 8  # fewer bits count as few
_REAL_WEIGHTS = ("published", "own")
#: How to read a mark.
FILLED = "A filled mark: the paired interval excludes no change. An open mark: it does not."
#: A note for panels that error bars may leave.
ARROWS = "; arrows where they leave a panel"


@dataclass(frozen=True)
class Caption:
    """The text of a figure: its finding in a sentence, a line on how to read it, and the details, each one paragraph.

    The finding is made from the numbers, and is empty where they show nothing.
    """

    finding: str
    reading: str
    details: str = ""

    def __str__(self) -> str:
        return compose(self.finding, self.reading, self.details)


def compose(*sentences: str) -> str:
    """Return one paragraph of the sentences that are not empty."""
    return " ".join(sentence for sentence in sentences if sentence)


def listing(items: Iterable[str], most: int = 6) -> str:
    """Return the items as `a, b and c`. Beyond `most` items, count the rest."""
    items = list(dict.fromkeys(items))
    if len(items) > most:
        return f"{', '.join(items[: most - 1])} and {len(items) - most + 1} more"
    return " and ".join(filter(None, (", ".join(items[:-1]), *items[-1:])))


def measured_on(study: pd.DataFrame) -> str:
    """Return the device of figures, its processor and runtimes. Tell which devices they do not show."""
    found = devices(study)
    if not found:
        return f"Runtime: {listing(map(title, runtimes(study)))}." if runtimes(study) else ""
    rows = study[study["device"] == found[0]]
    facts = ", ".join(filter(None, [*rows["processor"].dropna().unique(), listing(map(title, runtimes(rows)))]))
    others = f"; {listing(found[1:])} not shown" if found[1:] else ""
    return f"Device: {found[0]}" + (f" ({facts})" if facts else "") + others + "."


def artifacts_of(study: pd.DataFrame) -> str:
    """Return whose artifacts sizes and accuracies belong to, or an empty text for a table without runtimes."""
    return "".join(f"Sizes and accuracies are of {title(runtime)}'s artifacts." for runtime in runtimes(study)[:1])


def measurements(study: pd.DataFrame, rows: pd.DataFrame, note: str = "") -> str:
    """Return where a figure's ratios were measured, how surely, and which values are missing."""
    return compose(measured_on(study), intervals(rows, note), observations(rows), unsettled(rows), unavailable(rows))


def tally(groups: Mapping[str, pd.DataFrame]) -> str:
    """Return how many rows of each group are clearly lower or higher than fp32.

    The keys name the groups. Groups without a known difference are left out.
    """
    phrases = list[str]()
    for name, rows in groups.items():
        shown = as_shown(rows)
        known = shown[shown["shown"].notna() & shown["variant"].ne(BASELINE)]
        if len(known):
            phrases.append(f"{name} is clearly {_lower_and_higher(known, 'cases' if not phrases else '')}")
    text = listing(phrases)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def tally_of(rows: pd.DataFrame, *names: str) -> str:
    """Return the `tally` of metrics. The name `accuracy` stands for all metrics that judge."""
    titles = {name: "accuracy" if name == "accuracy" else METRICS[name].title for name in names}
    metrics = {name: JUDGES if name == "accuracy" else (name,) for name in names}
    return tally({titles[name]: rows[rows["metric"].isin(metrics[name])] for name in names})


def _lower_and_higher(known: pd.DataFrame, cases: str) -> str:
    """Return `lower in 3 and higher in 2 of 20 cases`, or that neither occurs."""
    clear = known[is_clear(known)]
    no_change = 1.0 - clear["metric"].isin(ACCURACY)
    counts = {"lower": (clear["shown"] < no_change).sum(), "higher": (clear["shown"] > no_change).sum()}
    words = [f"{word} in {count}" for word, count in counts.items() if count]
    return f"{listing(words) or 'different in none'} of {len(known)} {cases}".rstrip()


def without(family: str, chosen: Sequence[str]) -> str:
    """Return that the study lacks this `family`, if nothing is `chosen`."""
    return "" if chosen else f"{family} is not part of this study."


def removed(study: pd.DataFrame, chosen: Sequence[str]) -> str:
    """Return the meaning of a threshold, and the losses of the chosen variants in all its readings."""
    if not chosen:
        return ""
    lost = thresholds.removed(study).dropna(axis="columns", how="all")
    phrases = [
        f"{variant} {', '.join(_percent_span(shares[name].dropna()) for name in lost)}"
        for variant, shares in lost.groupby("variant")
        if variant in chosen
    ]
    shares = listing(METRICS[name].title if name in METRICS else name for name in lost)
    unpruned = [variant for variant in chosen if variant in controls(study)]
    return compose(
        _THRESHOLD,
        f"{listing(unpruned)} lost none: fp32, retrained like the others, as their control." if unpruned else "",
        f"Removed of {shares}, in percent: {'; '.join(phrases)}." if shares and phrases else "",
    )


def weights_are(rows: pd.DataFrame) -> str:
    """Return how the quantized weights of a figure's rows are used, or an empty text for none."""
    of_mode = {mode: variants(own) for mode, own in rows.groupby(of_quantized(rows), sort=False)}
    if len(of_mode) == 1:
        return f"Quantized weights are {in_print(next(iter(of_mode)))}."
    phrases = [f"{in_print(mode)} ({listing(of_mode[mode])})" for mode in ARITHMETICS if mode in of_mode]
    return f"Quantized weights are {listing(phrases)}." if phrases else ""


def options_of(rows: pd.DataFrame) -> str:
    """Return the variants that are not of the paper's quantizer, and how they differ, or an empty text for none."""
    options = rows.drop_duplicates("variant").set_index("variant")["options"].dropna()
    phrases = [f"{variant} ({options[variant]})" for variant in variants(rows) if variant in options]
    return f"Quantized with options: {listing(phrases, len(phrases))}." if phrases else ""


def few_bits(study: pd.DataFrame, shown: Iterable[tuple[str, str]]) -> str:
    """Return that the zoo is kinder to few bits than real networks, or an empty text if only real ones have few bits.

    `shown` holds pairs of model and variant. The text adds the accuracy of real weights under the same variants.
    """
    real_models = set(study.loc[study["build"].isin(_REAL_WEIGHTS), "model"])
    quantized = study["methods"].map(lambda methods: QUANTIZE in methods_of(methods)).astype(bool)
    few = study["bits"].lt(_FEW_BITS).fillna(True)  # mixed bits are few ones too
    with_few_bits = set(study.loc[quantized & few, "variant"])
    doubtful = {variant for model, variant in shown if variant in with_few_bits and model not in real_models}
    if not doubtful:
        return ""
    real = dict[tuple[str, str], str]()
    for own in by_runtime(study[study["variant"].isin([BASELINE, *doubtful])]).values():
        real = _of_real_weights(own) | real
    note = "the zoo is kinder to few bits than real networks (docs/zoo.md)"
    return f"{note}; real weights here: {listing(real.values())}" if real else note


def _of_real_weights(own: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return the accuracy of real weights in one runtime as text, by model and variant."""
    accuracy = whole(own, *JUDGES).dropna(subset="value")
    scores = {(row.model, row.variant): row for row in accuracy.itertuples() if row.build in _REAL_WEIGHTS}
    return {
        (model, variant): _against_fp32(row, scores[model, BASELINE].value)
        for (model, variant), row in scores.items()
        if variant != BASELINE and (model, BASELINE) in scores
    }


def few_bits_sentence(study: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Return `few_bits` of the rows of a figure, as a sentence."""
    note = few_bits(study, zip(rows["model"], rows["variant"], strict=True))
    return f"{note[0].upper()}{note[1:]}." if note else ""


def _against_fp32(row: Any, baseline: float) -> str:
    """Return a score as `MobileNet quarter q6 top-1 9.0 % (5.8 % to 13.8 %, n = 200; fp32 50.0 %)`."""
    value, low, high, fp32 = (quantity(number, row.unit) for number in (row.value, row.low, row.high, baseline))
    name = f"{model_name(row.model, row.network)} {row.variant} {METRICS[row.metric].title}"
    return f"{name} {value} ({low} to {high}, n = {row.n:,}; fp32 {fp32})"


def observations(rows: pd.DataFrame) -> str:
    """Return the number of observations behind a value, by metric. Metrics with the same numbers share a phrase."""
    counted = rows[rows["n"].notna() & (rows["n"] > 1)]
    metrics: dict[str, list[str]] = {}
    for metric, group in counted.groupby("metric", sort=False):
        processes = group["processes"].dropna()
        phrase = _span(group["n"]) + _in_processes(processes)
        metrics.setdefault(phrase, []).append(METRICS[str(metric)].title)
    phrases = "; ".join(f"{phrase} ({listing(names)})" for phrase, names in metrics.items())
    return f"n = {phrases}." if phrases else ""


def intervals(rows: pd.DataFrame, note: str = "") -> str:
    """Return the meaning of error bars, or an empty text if there are none."""
    levels = rows.loc[rows["low"].notna() | rows["ratio_low"].notna(), "level"].dropna().unique()
    if not len(levels):
        return ""
    return f"Error bars: {' and '.join(f'{100 * level:g} %' for level in levels)} intervals{note}."


def unsettled(rows: pd.DataFrame, flag: str = "ratio_settled") -> str:
    """Return how many ratios are not settled, or values by the `flag` `settled`. Say nothing for none."""
    noun, why = _UNSETTLED[flag]
    judged = rows[rows[flag].notna()]
    phrases = [
        f"{int(loose.sum())} of {len(loose)} {noun} of {METRICS[str(metric)].title}"
        for metric, loose in is_unsettled(judged[flag]).groupby(judged["metric"], sort=False)
        if loose.any()
    ]
    return f"Not settled: {listing(phrases)}. {why}" if phrases else ""


_UNSETTLED = {
    "ratio_settled": ("ratios", "Their intervals are wider than the target."),
    "settled": ("values", "Their intervals are wider than the target, or the machine did not hold still."),
}


def unavailable(rows: pd.DataFrame) -> str:
    """Return the missing metrics by reason. A metric that only some models lack names these models."""
    missing = rows[rows["basis"] == "unavailable"]
    phrases = []
    for reason, group in missing.groupby("reason", sort=False):
        whole, parts = [], dict[str, list[str]]()
        for metric, some in group.groupby("metric", sort=False):
            if rows[rows["metric"] == metric]["value"].isna().all():
                whole.append(METRICS[str(metric)].title)
            else:
                names = listing(model_name(row.model, row.network) for row in some.itertuples())
                parts.setdefault(names, []).append(METRICS[str(metric)].title)
        of_models = [f"{listing(metrics)} of {names}" for names, metrics in parts.items()]
        phrases.append(f"{listing([*whole, *of_models])} ({reason})")
    return f"Not available: {'; '.join(phrases)}." if phrases else ""


def _in_processes(counts: pd.Series[int]) -> str:
    if counts.empty:
        return ""
    return f" in {_span(counts)} {'process' if counts.max() == 1 else 'processes'}"


def _percent_span(shares: pd.Series[float]) -> str:
    if shares.empty:
        return "n/a"
    low, high = f"{100 * shares.min():.0f}", f"{100 * shares.max():.0f}"
    return low if low == high else f"{low} to {high}"


def _span(counts: pd.Series[int]) -> str:
    low, high = int(counts.min()), int(counts.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
