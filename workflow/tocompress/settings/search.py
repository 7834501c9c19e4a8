"""The config's `search`: the requirements that a configuration shall meet, and the space that is searched for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from tocompress.settings.base import ONCE, Measured, Settings
from tocompress.settings.device import Runtime
from tocompress.vocabulary.arithmetic import FLOAT, INTEGER
from tocompress.vocabulary.metrics import METRICS
from tocompress.vocabulary.runtimes import LITERT_BITS

#: Bits of a weight that stays as it is.
UNQUANTIZED = 32

#: The most configurations that a search lists and judges by its model.
MOST_CONFIGURATIONS = 100_000

JUDGED = ("top1", "top5", "bleu")
MINIMIZED = ("latency", "memory", "energy", "power_mean", "size")

if TYPE_CHECKING:
    Required = str
    Minimized = str
    Arithmetic = str
else:
    Required = Literal[JUDGED + MINIMIZED]
    Minimized = Literal[MINIMIZED]
    Arithmetic = Literal[INTEGER, FLOAT]

#: Unit in a config -> unit of the metric, and how many of these it is.
_UNITS = {
    "ms": ("ms", 1.0),
    "s": ("ms", 1e3),
    "B": ("byte", 1.0),
    "kB": ("byte", 1e3),
    "MB": ("byte", 1e6),
    "GB": ("byte", 1e9),
    "mJ": ("J", 1e-3),
    "J": ("J", 1.0),
    "W": ("W", 1.0),
    "%": ("fraction", 1.0),
}
_SECONDS = {"s": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hour": 3600}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*([A-Za-z%]*)\s*", re.ASCII)

_Value = Annotated[
    float | None,
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "null"}]}),
]


class Limit(NamedTuple):
    """A bound of a metric, in its unit."""

    metric: str
    kind: Literal["at most", "at least", "lose at most"]
    bound: float


class Requirement(Settings):
    """The bound of a metric. Exactly one of the keys is given."""

    model_config = ConfigDict(populate_by_name=True)

    at_most: _Value = Field(
        None,
        gt=0,
        alias="at most",
        description="highest value of a cost or of the size, such as `20 ms`, `4 MB`, `50 mJ` or `3 W`. A number alone"
        " is in the metric's unit",
    )
    at_least: _Value = Field(
        None, gt=0, le=100, alias="at least", description="lowest accuracy, in percent or as a BLEU score"
    )
    lose_at_most: _Value = Field(
        None,
        ge=0,
        le=100,
        alias="lose at most",
        description="largest loss of accuracy against `fp32`, in percentage points or BLEU",
    )

    @model_validator(mode="after")
    def _is_one(self) -> Requirement:
        if len(self.given) != 1:
            raise ValueError("exactly one of 'at most', 'at least' and 'lose at most' is needed")
        return self

    @property
    def given(self) -> dict[str, float]:
        """Return the values that are given, by the words of the config."""
        values = {"at most": self.at_most, "at least": self.at_least, "lose at most": self.lose_at_most}
        return {kind: value for kind, value in values.items() if value is not None}

    def of(self, metric: str) -> Limit:
        """Return the limit of a metric in its unit. Points of an accuracy that is a fraction become one."""
        ((kind, value),) = self.given.items()
        return Limit(metric, kind, value / 100 if METRICS[metric].unit == "fraction" else value)  # type: ignore[arg-type]


def _possible(bits: int) -> int:
    if 16 < bits < UNQUANTIZED:
        raise ValueError(f"2 to 16 bits are possible, and {UNQUANTIZED} for floats")
    return bits


_Bits = Annotated[int, Field(ge=2, le=UNQUANTIZED), AfterValidator(_possible)]
_Share = Annotated[float, Field(ge=0, lt=1)]


class Space(Settings):
    """The choices that are combined. The uncompressed network always belongs to them."""

    bits: Annotated[tuple[_Bits, ...], ONCE] = Field(
        min_length=1, description="bits of a weight: 2 to 16, or 32 for weights that stay floats"
    )
    arithmetic: Annotated[tuple[Arithmetic, ...], ONCE] = Field(
        (FLOAT,), min_length=1, description="how quantized operations compute"
    )
    share: Annotated[tuple[_Share, ...], ONCE] = Field(
        (0.0,), min_length=1, description="fractions of the filters that are removed"
    )
    groups: int = Field(
        1,
        ge=1,
        le=16,
        description="runs of kernels with about the same number of weights, each with bits of its own",
    )

    def bits_in(self, arithmetic: str) -> tuple[int, ...]:
        """Return the bits that an arithmetic can compute with."""
        return tuple(bits for bits in self.bits if arithmetic == FLOAT or bits <= LITERT_BITS)

    @model_validator(mode="after")
    def _can_be_listed(self) -> Space:
        if INTEGER in self.arithmetic and not self.bits_in(INTEGER):
            raise ValueError(f"bits: none of them is at most {LITERT_BITS}, which integer arithmetic needs")
        each = sum(len(self.bits_in(arithmetic)) ** self.groups for arithmetic in self.arithmetic)
        if (number := each * len(self.share)) > MOST_CONFIGURATIONS:
            raise ValueError(
                f"groups: {number:,} configurations, but at most {MOST_CONFIGURATIONS:,} can be searched;"
                " take fewer groups or fewer bits"
            )
        return self


def _seconds(budget: Any) -> Any:
    """Return the seconds of a text such as "20 minutes". Anything else stays as it is."""
    if not isinstance(budget, str):
        return budget
    found = _QUANTITY.fullmatch(budget)
    unit = found[2] if found else ""
    seconds = _SECONDS.get(unit, _SECONDS.get(unit.removesuffix("s")))
    if found is None or seconds is None:
        raise ValueError("a time such as '20 minutes', '90 s' or '2 hours' is needed")
    return float(found[1]) * seconds


class Search(Settings):
    """A search for the configuration of a model that meets requirements at the least cost."""

    device: Measured = Field(description="device that costs are measured on, in one of its power modes: `orin@15W`")
    runtime: Runtime = Field(description="runtime that executes the configurations")
    requirements: Annotated[dict[Required, Requirement], Field(min_length=1)] = Field(
        description="bounds by metric, all of which the configuration meets"
    )
    minimize: Minimized = Field("latency", description="cost that is as low as possible, or the size")
    space: Space = Field(description="the choices that are combined")
    budget: Annotated[float, BeforeValidator(_seconds, json_schema_input_type=float | str), Field(gt=0)] = Field(
        description="time for the search, such as `20 minutes`, `90 s` or `2 hours`. A number alone is in seconds"
    )

    @field_validator("requirements", mode="before")
    @classmethod
    def _in_the_units_of_metrics(cls, requirements: Any) -> Any:
        if not isinstance(requirements, Mapping):
            return requirements
        return {metric: _in_the_unit(metric, requirement) for metric, requirement in requirements.items()}

    @model_validator(mode="after")
    def _requirements_fit_their_metrics(self) -> Search:
        for limit in self.limits:
            accuracy = limit.metric in JUDGED
            if accuracy == (limit.kind == "at most"):
                right = "'at least' or 'lose at most'" if accuracy else "'at most'"
                raise ValueError(f"requirements.{limit.metric}: takes {right}, not '{limit.kind}'")
        return self

    @property
    def limits(self) -> tuple[Limit, ...]:
        """Return the requirements in the units of their metrics, in the order of the config."""
        return tuple(requirement.of(metric) for metric, requirement in self.requirements.items())


def _in_the_unit(metric: object, requirement: Any) -> Any:
    """Return a requirement whose texts are numbers in the metric's unit."""
    if metric not in JUDGED + MINIMIZED or not isinstance(requirement, Mapping):
        return requirement
    wanted = METRICS[str(metric)].unit
    return {
        key: _number(f"{metric}.{key}", value, wanted) if isinstance(value, str) else value
        for key, value in requirement.items()
    }


def _number(where: str, text: str, wanted: str) -> float:
    found = _QUANTITY.fullmatch(text)
    unit, factor = _UNITS.get(found[2], ("", 1.0)) if found and found[2] else (wanted, 1.0)
    if found is None or unit != wanted:
        units = [name for name, (of, _) in _UNITS.items() if of == wanted]
        example = f"with one of the units {', '.join(units)}" if units else "without a unit"
        raise ValueError(f"{where}: '{text}' is no such quantity; a number {example} is needed")
    return float(found[1]) * factor
