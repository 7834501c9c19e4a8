"""The headline of the report: a few sentences from the tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from tocompress.models.registry import NETWORKS
from tocompress.reporting.claims import (
    AGREES,
    CIRCULAR,
    CONTRADICTS,
    DEPENDS,
    NOT_COMPARABLE,
    NOT_MEASURED,
    SAME_DIRECTION,
    UNDECIDED,
    by_statement,
)
from tocompress.reporting.effects import (
    ACCURACY_OF_ALL,
    Effect,
    Effects,
    Option,
    counted,
    percent,
    percent_interval,
    reasons,
    unsettled,
)
from tocompress.reporting.figures.captions import few_bits, listing
from tocompress.reporting.study import by_runtime, chains, controls, devices, full_size, made_by
from tocompress.reporting.thresholds import mildest
from tocompress.vocabulary.arithmetic import INTEGER
from tocompress.vocabulary.metrics import JUDGES, METRICS
from tocompress.vocabulary.runtimes import title
from tocompress.vocabulary.variants import BASELINE, PRUNE, QUANTIZE


@dataclass(frozen=True)
class Sentence:
    """A sentence, and its topic in a word or two."""

    topic: str
    text: str


def headline(study: pd.DataFrame, claims: pd.DataFrame) -> list[Sentence]:
    """Return sentences on size, time, loading, memory and energy, accuracy, other runtimes, and the paper's numbers.

    Changes cover one variant for each way to compress (`representatives`), over the full-size models that have it, or
    else over the reduced models. A sentence may say that a change is unknown. All but one sentence a further runtime
    are of the first runtime.
    """
    (first, table), *others = by_runtime(study).items()
    teller = _Teller(table)
    runtime = f" in {title(first)}" if first and others else ""
    device = next(iter(devices(table)), None)
    where = f"{runtime} on {device}" if device else runtime
    return [
        Sentence("Size", f"{teller.change('size', runtime)}."),
        Sentence("Time", f"{teller.change('latency', where)}."),
        Sentence("Loading", f"{teller.change('load', where)}."),
        Sentence("Memory and energy", f"{teller.change('memory', where)}; {_lower(teller.change('energy', where))}."),
        Sentence("Accuracy", f"{teller.change(ACCURACY_OF_ALL, runtime)}{_untrained(study)}."),
        *(Sentence(title(str(other)), f"{_Teller(own).of_integers()}.") for other, own in others),
        *([Sentence("The paper", paper(claims))] if has_networks_of_paper(study) else []),
    ]


def has_networks_of_paper(study: pd.DataFrame) -> bool:
    """Return whether a study has any of the paper's networks. Without them, no number of the paper can be judged."""
    return bool(study["network"].isin(list(NETWORKS)).any())


def of_runtimes(study: pd.DataFrame) -> list[str]:
    """Return how 8-bit weights change time, a sentence for each of several runtimes."""
    (first, table), *others = by_runtime(study).items()
    if not others:
        return []
    sentences = [f"{_Teller(table).of_quantized(title(str(first)))}."]
    for runtime, own in others:
        teller = _Teller(own)
        told = [teller.of_quantized(title(str(runtime))), *teller.from_runtime(title(str(first)))]
        sentences.append(f"{'; '.join(told)}.")
    return sentences


def representatives(study: pd.DataFrame) -> list[str]:
    """Return one variant for each way to compress: 8 bits, the smallest cut, and both in the paper's order.

    If one is absent, the first variant of its kind stands in. Each other method adds its first variant.
    """
    cut = mildest(study)
    others = [made_by(study, method)[0] for method in _other_methods(study)]
    chosen = [_prefer("q8", made_by(study, QUANTIZE)), cut, *others, _prefer(f"q8-{cut}", chains(study))]
    return [variant for variant in chosen if variant]


def _other_methods(study: pd.DataFrame) -> list[str]:
    """Return the methods of single techniques that neither quantize nor prune."""
    alone = study[~study["variant"].isin(chains(study))]
    return [method for method in dict.fromkeys(alone["methods"]) if method not in ("", QUANTIZE, PRUNE)]


def in_integers(study: pd.DataFrame) -> str | None:
    """Return the quantized variant that stands for integer arithmetic: of 8 bits, its activations too, if any."""
    rows = study[(study["arithmetic"] == INTEGER) & (study["methods"] == QUANTIZE) & study["ratio"].notna()]
    for wanted in (rows[rows["bits"].eq(8) & rows["activations"].eq("8")], rows[rows["bits"].eq(8)], rows):
        if not wanted.empty:
            return made_by(wanted, QUANTIZE)[0]
    return None


def _prefer(wanted: str, known: Sequence[str]) -> str | None:
    return wanted if wanted in known else next(iter(known), None)


def paper(claims: pd.DataFrame) -> str:
    """Return how many of the paper's numbers have each verdict. A number with several readings counts once."""
    statements = by_statement(claims)
    numbers = statements[statements["number"]]
    if numbers.empty:
        return "None of the paper's numbers was looked at."
    counts = numbers["verdict"].value_counts()
    phrases = [
        f"{counts[verdict]:,} {one if counts[verdict] == 1 else several}"
        for verdict, (one, several) in _TOLD.items()
        if verdict in counts
    ]
    return f"Of the {counted(len(numbers), 'number')} that the paper states, {listing(phrases, len(_TOLD))}."


# The phrase after one number, and after several.
_TOLD = {
    AGREES: ("agrees with this study's", "agree with this study's"),
    SAME_DIRECTION: ("has its direction", "have its direction"),
    CONTRADICTS: ("contradicts it", "contradict it"),
    DEPENDS: ("is judged differently in different readings", "are judged differently in different readings"),
    UNDECIDED: ("stays undecided", "stay undecided"),
    NOT_COMPARABLE: ("was measured under other conditions", "were measured under other conditions"),
    NOT_MEASURED: ("was not measured", "were not measured"),
    CIRCULAR: ("is of a cut that its accuracy chose", "are of cuts that their accuracy chose"),
}


class _Teller:
    def __init__(self, study: pd.DataFrame) -> None:
        self._study = study
        self._effects = Effects(study)
        self._full_size = full_size(study)
        self._variants = representatives(study)
        self._controls = controls(study)

    def of_quantized(self, runtime: str) -> str:
        """Return the change of inference time under quantized weights, and under integers where they are others."""
        device = next(iter(devices(self._study)), None)
        quantized = [_prefer("q8", made_by(self._study, QUANTIZE)), in_integers(self._study)]
        where = f" in {runtime} on {device}" if device else f" in {runtime}"
        return self.change("latency", where, list(dict.fromkeys(filter(None, quantized))))

    def change(self, metric: str, where: str = "", variants: Sequence[str] | None = None) -> str:
        """Return the change as `File size changes by −74.6 % with q8 (...), ...`, or why it is unknown.

        Without `variants`, it is of the study's representatives.
        """
        name = "accuracy (top-1, of translators BLEU)" if metric == ACCURACY_OF_ALL else METRICS[metric].title
        name = name[0].upper() + name[1:]
        found = list(self._found(metric) if variants is None else self._of_variants(metric, variants))
        if not found:
            return f"{name} is unknown{self._why(metric)}"
        phrases = [
            f"{percent(effect.mean.value)} with {option} ({_surely(effect, of)})" for option, effect, of in found
        ]
        notes = [unsettled(effect for _, effect, _ in found)]
        if metric == ACCURACY_OF_ALL:
            shown = [(model, option.variant) for option, effect, _ in found for model in effect.own]
            notes.append(few_bits(self._study, shown))
            notes += [f"{name} is fp32, retrained like the pruned models" for name in self._controls]
        return "; ".join(filter(None, [f"{name}{where} changes by {listing(phrases)}", *notes]))

    def of_integers(self) -> str:
        """Return the changes under integer arithmetic, or else under a quantized variant."""
        variant = in_integers(self._study) or next(iter(self._variants), BASELINE)
        metrics = ("latency", "energy", "memory", "size", ACCURACY_OF_ALL)
        found = [(metric, *one) for metric in metrics for one in self._of_variants(metric, [variant])]
        if not found:
            return f"Changes are unknown{self._why('latency')}"
        phrases = [
            f"{METRICS[metric].title if metric in METRICS else metric} by {percent(effect.mean.value)} with {option}"
            f" ({_surely(effect, of)})"
            for metric, option, effect, of in found
        ]
        shown = [(model, variant) for *_, effect, _ in found for model in effect.own]
        notes = [unsettled(effect for *_, effect, _ in found), few_bits(self._study, shown)]
        told = f"Against fp32 in the same runtime, {listing(phrases).replace(' by ', ' changes by ', 1)}"
        return "; ".join(filter(None, [told, *notes]))

    def from_runtime(self, first: str) -> Iterator[str]:
        """Yield how time changes from fp32 in the runtime `first` to fp32 and integers in this one."""
        wanted = [BASELINE, *filter(None, [in_integers(self._study)])]
        found = list(self._of_variants("latency", wanted, Effects.across(self._study)))
        if found:
            phrases = [
                f"{percent(effect.mean.value)} with {option} ({_surely(effect, of)})" for option, effect, of in found
            ]
            yield f"against fp32 in {first} it changes by {listing(phrases)}"

    def _found(self, metric: str) -> Iterator[tuple[Option, Effect, str]]:
        return self._of_variants(metric, [*self._variants, *(self._controls if metric == ACCURACY_OF_ALL else ())])

    def _of_variants(
        self, metric: str, variants: Iterable[str], effects: Effects | None = None
    ) -> Iterator[tuple[Option, Effect, str]]:
        """Yield each variant's options with their effects, over the full-size models or else over the reduced ones."""
        effects = effects or self._effects
        for variant in variants:
            for option in effects.options(metric, variant):
                for size, models in self._pools():
                    if effect := effects.of(metric, option, models):
                        yield option, effect, size
                        break

    def _pools(self) -> Iterable[tuple[str, Collection[str]]]:
        return ("full-size", self._full_size), ("reduced", set(self._study["model"]) - self._full_size)

    def _why(self, metric: str) -> str:
        metrics = JUDGES if metric == ACCURACY_OF_ALL else (metric,)
        rows = self._study[self._study["metric"].isin(metrics)]
        if rows.empty or not self._variants:
            return ": not part of this study"
        return f" ({listing(reasons(rows)) or 'nothing to compare with'})"


def _surely(effect: Effect, size: str) -> str:
    """Return the certainty of an effect as `−75.0 to −74.1 %, n = 3 full-size`."""
    mean = effect.mean
    bounds = percent_interval(mean) or ("no interval" if mean.low is None else "exact")
    text = f"{bounds}, n = {len(effect.own)} {size}"
    if mean.low is None or mean.high is None or not mean.low <= 1 <= mean.high:
        return text
    return f"{text}, each beyond its own interval" if effect.below(1) or effect.above(1) else f"{text}: no clear change"


def _untrained(study: pd.DataFrame) -> str:
    initial = study.loc[study["build"] == "initial", "model"].nunique()
    if not initial:
        return ""
    return f"; {counted(initial, 'model')} with initial weights {'has' if initial == 1 else 'have'} none"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
