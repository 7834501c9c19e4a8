"""Load config/claims.yaml: the numbers that the paper states, and how to find each in a study's table."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from tocompress.errors import StudyError
from tocompress.models.registry import NETWORKS, Network
from tocompress.settings.base import Name, Settings, Share, check_keys
from tocompress.settings.benchmark import Arithmetic
from tocompress.vocabulary.arithmetic import EVERY_INFERENCE
from tocompress.vocabulary.metrics import ACCURACY, METRICS
from tocompress.vocabulary.operations import OPERATION_CLASSES
from tocompress.vocabulary.variants import BASELINE, Variant

#: Stands for each model's most pruned variant whose accuracy is within the paper's budget.
LARGEST_CUT = "largest_cut"
#: Stands in the file for one claim on each number of the paper's Table I.
TABLE_1 = "Table I"

#: Expression -> units of the metrics that can be expressed so.
_OF_UNITS = {"points": ("fraction", "score"), "remainder": ("fraction",)}

_WITHOUT_RATIO = ("operation_share", "filters_removed")

#: Unit of a metric -> factor and unit of its printed value.
_PRINTED = {"fraction": (100.0, "%"), "byte": (1e-6, "MB"), "1": (1e-6, "million")}


class Margin(Settings):
    """How near two numbers count as equal. The head of config/claims.yaml states the rule."""

    percent: float = Field(gt=0, lt=100, description="margin in percent of the baseline, or else of the number")
    accuracy: float = Field(gt=0, lt=100, description="margin in points for an accuracy itself")
    effect: Share = Field(description="largest margin, as a fraction of the way from no change to the paper's number")


class Claim(Settings):
    """One reading of the paper, and the same quantity in a study's table. Readings of one statement share an `id`."""

    id: Name
    reading: str | None = Field(None, min_length=1, description="how the text is read (null: only one way is possible)")
    section: str = Field(description="section of the paper")
    figure: str | None = Field(None, description="figure or table of the paper (null: only in the text)")
    statement: str = Field(min_length=1, description="the claim in a few words")
    paper: float | None = Field(
        description="the number or the lower end of a range, with the sign of a change. With null, the paper states no"
        " number, and no change takes its place"
    )
    paper_high: float | None = Field(None, description="the upper end of a range")
    bound: Literal["about", "at most", "at least", "range"] = "about"
    metric: str = Field(description="metric in the study's table")
    expressed: Literal["change", "ratio", "points", "amount", "value", "remainder"] = Field(
        "change",
        description="relative to the baseline: `change` in percent, `ratio`, or difference in percentage `points` or as"
        " an `amount`. Alone: the `value` itself, or the `remainder` of a share to 100 %",
    )
    variants: tuple[str, ...] = Field(min_length=1, description="variants to average within each model")
    baseline: str = Field(BASELINE, description="variant that `variants` are compared with")
    labels: tuple[str, ...] = Field((), description="classes of operations, whose shares are added up")
    networks: tuple[str, ...] = Field(min_length=1)
    aggregation: Literal["mean", "minimum", "maximum", "each", "spread", "difference"] = Field(
        "mean",
        description="how networks are combined. `each` asks that the claim holds for every network. `spread` is the"
        " largest minus the smallest value. `difference` is the first minus the second network",
    )
    arithmetic: Arithmetic = EVERY_INFERENCE
    inconsistent_with: tuple[str, ...] = Field((), description="claims that cannot be true together with this one")

    @model_validator(mode="after")
    def _selects_something(self) -> Claim:
        _known("metric", [self.metric], METRICS)
        _known("networks", self.networks, NETWORKS)
        _known("labels", self.labels, OPERATION_CLASSES)
        if bool(self.labels) != (self.metric == "operation_share"):
            raise ValueError("labels: classes of operations belong to the metric 'operation_share', and only to it")
        if self.compared and self.metric in _WITHOUT_RATIO:
            raise ValueError(f"expressed: '{self.metric}' has no ratio; take 'value' or 'remainder'")
        if METRICS[self.metric].unit not in _OF_UNITS.get(self.expressed, (METRICS[self.metric].unit,)):
            raise ValueError(f"expressed: '{self.metric}' is no fraction; take 'change', 'ratio', 'amount' or 'value'")
        if self.compared and self.baseline in self.variants:
            raise ValueError(f"baseline: '{self.baseline}' is among the variants that it is compared with")
        task = METRICS[self.metric].task
        if wrong := [name for name in self.networks if task not in (None, NETWORKS[name].task)]:
            raise ValueError(f"networks: '{wrong[0]}' is not judged by '{self.metric}'")
        self._states_something()
        return self

    def _states_something(self) -> None:
        if (self.bound == "range") != (self.paper_high is not None):
            raise ValueError("paper_high: a range, and nothing else, has one")
        if self.paper is None and (self.paper_high is not None or not self.compared):
            raise ValueError(f"paper: without a number, '{self.bound}' of '{self.expressed}' says nothing")
        if self.paper is not None and self.paper_high is not None and self.paper_high <= self.paper:
            raise ValueError(f"paper_high: {self.paper_high:g} is not above `paper`, {self.paper:g}")
        if self.aggregation == "difference" and len(self.networks) != 2:
            raise ValueError(f"networks: a difference is of two, not of {len(self.networks)}")
        if self.aggregation in ("spread", "difference") and self.expressed == "ratio":
            raise ValueError(f"expressed: take 'change' for a {self.aggregation}; that of ratios is no ratio")

    @property
    def compared(self) -> bool:
        """Return whether the number is relative to a baseline."""
        return self.expressed not in ("value", "remainder")

    @property
    def circular(self) -> bool:
        """Return whether the study chooses the variant by the accuracy that the claim is about."""
        return LARGEST_CUT in self.variants and self.metric in ACCURACY

    @property
    def no_change(self) -> float | None:
        """Return the number that says the baseline and the variants are equal. Without a baseline there is none."""
        return (1.0 if self.expressed == "ratio" else 0.0) if self.compared else None

    @property
    def scale(self) -> float:
        """Return the factor from the metric's unit to the unit of an amount or a value."""
        return _PRINTED.get(METRICS[self.metric].unit, (1.0, ""))[0]

    @property
    def unit(self) -> str:
        own = METRICS[self.metric].unit
        return {"change": "%", "ratio": "×", "points": "points"}.get(self.expressed) or _PRINTED.get(own, (1, own))[1]

    @property
    def numbers(self) -> tuple[float, ...]:
        """Return the paper's number or both ends of its range, or else the number for no change."""
        paper = (self.no_change or 0.0) if self.paper is None else self.paper
        return (paper,) if self.paper_high is None else (paper, self.paper_high)


class Claims(Settings):
    """The content of config/claims.yaml."""

    margin: Margin
    claims: tuple[Claim, ...] = Field(min_length=1)

    def margin_of(self, claim: Claim) -> float:
        """Return the margin of a claim in its unit. It is 0 for a bound."""
        if claim.bound in ("at most", "at least"):
            return 0.0
        if claim.expressed == "value" and claim.metric in ACCURACY and METRICS[claim.metric].unit == "fraction":
            return self.margin.accuracy
        whole = {"change": 100.0, "points": 100.0, "ratio": 1.0}.get(claim.expressed, min(map(abs, claim.numbers)))
        margin = whole * self.margin.percent / 100
        effect = 0.0 if claim.no_change is None else min(abs(number - claim.no_change) for number in claim.numbers)
        return min(margin, self.margin.effect * effect) if effect else margin


def load(path: str | Path, techniques: Mapping[str, str]) -> Claims:
    """Return the claims in the file `path`, whose variants are chains of `techniques` (name -> method).

    Raise a StudyError of one line for a malformed file, an unknown name, or a claim that no study can match.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        check_keys(path)
    # A scalar that is no value of its type raises any of Python's errors.
    except (OSError, yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise StudyError(f"{path}: not readable as YAML: {error}") from None
    if not isinstance(content, dict):
        raise StudyError(f"{path}: not a mapping; it holds `margin` and `claims`")
    # Keys that begin with `x-` hold lists that several claims share.
    sections = {key: value for key, value in content.items() if not str(key).startswith("x-")}
    entries: Any = sections.get("claims")
    try:
        if isinstance(entries, list):
            entries = [one for entry in entries for one in (_table_1() if entry == TABLE_1 else [entry])]
            sections["claims"] = [claim for entry in entries for claim in _readings(entry)]
        claims = Claims.model_validate(sections)
        _check(claims, [entry["id"] for entry in entries], techniques)
    except ValidationError as error:
        raise StudyError(f"{path}: {_first_problem(error, sections)}") from None
    except ValueError as error:
        raise StudyError(f"{path}: {error}") from None
    return claims


def _table_1() -> Iterator[dict[str, Any]]:
    """Yield an entry for each number of Table I, network by network (paper, III-A)."""
    for network in NETWORKS.values():
        assert network.parameters_paper is not None
        numbers = {
            "parameters": ("parameters", network.parameters_paper / 1e6),
            "top1": ("top-1 accuracy", network.top1_paper),
            "top5": ("top-5 accuracy", network.top5_paper),
            "bleu_tokenized": ("BLEU", network.bleu_paper),
        }
        for metric, (what, paper) in numbers.items():
            if paper is not None:
                yield {
                    "id": f"table1_{metric}_{network.name}",
                    "section": "III-A",
                    "figure": TABLE_1,
                    "statement": f"{what} of {network.name}",
                    "paper": paper,
                    "metric": metric,
                    "expressed": "value",
                    "variants": [BASELINE],
                    "networks": [network.name],
                    "inconsistent_with": _as_many_parameters(network) if metric == "parameters" else [],
                }


def _as_many_parameters(network: Network) -> list[str]:
    """Return the claims of other networks to equally many parameters, which networks of another depth cannot have."""
    others = [other for other in NETWORKS.values() if other is not network]
    return [f"table1_parameters_{other.name}" for other in others if other.parameters_paper == network.parameters_paper]


def _readings(entry: Any) -> list[Any]:
    """Return a claim for each reading of an entry. Keys of a reading replace keys of the entry."""
    if not isinstance(entry, dict) or "readings" not in entry:
        return [entry]
    where, readings = f"{entry.get('id')!r}.readings", entry["readings"]
    if not isinstance(readings, dict) or len(readings) < 2:
        raise ValueError(f"{where}: a mapping of two readings or more is needed")
    for name, own in readings.items():
        if not isinstance(own, dict):
            raise ValueError(f"{where}: {name!r} is not a mapping of the keys that it changes; {{}} for none")
        if "id" in own or "reading" in own:
            raise ValueError(f"{where}: {name!r} changes 'id' or 'reading', which are not its own")
    shared = {key: value for key, value in entry.items() if key != "readings"}
    return [{**shared, **own, "reading": name} for name, own in readings.items()]


def _check(claims: Claims, ids: Sequence[str], techniques: Mapping[str, str]) -> None:
    """Raise a ValueError for a repeated id, an unknown variant, or an `inconsistent_with` that is not mutual."""
    if twice := next((name for name in ids if ids.count(name) > 1), None):
        raise ValueError(f"the id '{twice}' is given twice")
    by_id = {claim.id: claim for claim in claims.claims}
    for claim in claims.claims:
        for key, variants in (("variants", claim.variants), ("baseline", (claim.baseline,))):
            for variant in variants:
                _check_variant(f"{claim.id}.{key}", variant, techniques)
        _known(f"{claim.id}.inconsistent_with", claim.inconsistent_with, by_id)
        for other in claim.inconsistent_with:
            if claim.id not in by_id[other].inconsistent_with:
                raise ValueError(f"{other}.inconsistent_with: lacks '{claim.id}', which names '{other}'")


def _check_variant(where: str, variant: str, techniques: Mapping[str, str]) -> None:
    links = Variant.parse(variant).techniques
    if len(links) < 2:
        return _known(where, [variant], (BASELINE, LARGEST_CUT, *techniques))
    _known(where, links, techniques)
    if len({techniques[link] for link in links}) < len(links):
        raise ValueError(f"{where}: '{variant}' applies the same method twice")


def _known(where: str, names: Collection[str], defined: Collection[str]) -> None:
    for name in names:
        if name not in defined:
            near = difflib.get_close_matches(name, defined, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"there is {', '.join(map(repr, defined))}"
            raise ValueError(f"{where}: '{name}' is not known; {hint}")


def _first_problem(error: ValidationError, sections: dict[str, Any]) -> str:
    """Return the first problem, located by the claim's id instead of its number."""
    problem = error.errors(include_url=False)[0]
    location = [str(step) for step in problem["loc"]]
    if location[:1] == ["claims"] and len(location) > 1:
        claim = sections["claims"][int(location[1])]
        location[:2] = [_named(claim) if isinstance(claim, dict) and "id" in claim else f"claims[{location[1]}]"]
    if problem["type"] == "extra_forbidden":
        return f"{'.'.join(location)}: unknown key"
    return f"{'.'.join(location)}: {problem['msg'].removeprefix('Value error, ')}"


def _named(claim: dict[str, Any]) -> str:
    return f"{claim['id']} ({claim['reading']})" if "reading" in claim else str(claim["id"])
