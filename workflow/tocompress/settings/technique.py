"""The config's `techniques`: the ways to change a model. A method is a class.

`module` holds the method's function `compress`, from weights and a technique to weights and a table of schema
`compression`. A method that needs more than weights has a rule of its own, and no module. A method that changes no
shape shares the graph of the parent variant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Discriminator, Field, PlainSerializer, Tag, model_validator

from tocompress.settings.base import ONCE, Count, Settings

Bits = Annotated[int, Field(ge=2, le=16)]


class Budget(Settings):
    """A mean number of bits a weight. Each kernel gets as many as its sensitivity asks for."""

    budget: float = Field(ge=2, le=8, description="bits per stored weight, on average over all quantized kernels")


def _of_pairs(bits: Any) -> Any:
    return dict(bits) if _are_pairs(bits) else bits


def _are_pairs(bits: Any) -> bool:
    return isinstance(bits, list | tuple) and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in bits)


def _kind_of_bits(bits: Any) -> str:
    if isinstance(bits, Budget) or (isinstance(bits, Mapping) and "budget" in bits):
        return "budget"
    return "object" if isinstance(bits, Mapping) or _are_pairs(bits) else "integer"


#: In a job's settings they are pairs, because their order counts and keys of those settings are sorted.
_Patterns = Annotated[
    dict[str, Bits],
    BeforeValidator(_of_pairs, json_schema_input_type=dict[str, Bits]),
    PlainSerializer(lambda patterns: [*patterns.items()], when_used="json"),
]
#: The tags are names of types in a JSON schema, by which messages about a wrong config find their key.
_AnyBits = Annotated[
    Annotated[Bits, Tag("integer")] | Annotated[Budget, Tag("budget")] | Annotated[_Patterns, Tag("object")],
    Discriminator(_kind_of_bits),
]


class Quantize(Settings):
    """Post-training quantization of the weights (paper, II-A), and on request of activations, without retraining."""

    changes_shapes: ClassVar = False

    method: Literal["quantize"]
    bits: _AnyBits = Field(
        description="bits per stored weight. Or a mapping from patterns of tensors' names (`*/logits/*`) to bits. The"
        " first match counts. No match means floats. Or `{budget: 5.0}`, a mean that each kernel's sensitivity"
        " distributes"
    )
    type: Literal["integer", "float"] = Field(
        "integer", description="integers on a linear grid, or floats of half the size (`bits: 16`)"
    )
    granularity: Literal["tensor", "channel"] = Field(
        "tensor", description="one grid per tensor, as in the paper, or per output channel (always with `activations`)"
    )
    minimum_values: int = Field(
        1024, ge=1, description="kernels with fewer values stay float (none does with `activations`)"
    )
    range: Literal["minmax", "mse", "percentile"] = Field(
        "minmax",
        description="the weights that a grid spans: all, 99.9 % of them, or a range of the least mean square error",
    )
    rounding: Literal["nearest", "learned"] = Field(
        "nearest",
        description="each weight takes the nearest level. Or all take the levels that change a kernel's outputs least"
        " on the calibration set",
    )
    correction: Literal["bias"] | None = Field(
        None, description="biases take in the change of each channel's mean output on the calibration set"
    )
    keep: Annotated[tuple[str, ...], ONCE] = Field(
        (), description="kernels that keep at least 8 bits: `first`, `last`, or patterns of tensors' names"
    )
    statistics: Literal["stored", "recalibrated"] = Field(
        "stored", description="batch norm's mean and variance: as trained, or measured anew on the calibration set"
    )
    activations: Literal[8, "dynamic"] | None = Field(
        None,
        description="operations compute in integers of 8 bits: with ranges of the calibration set (8), or with ranges"
        " that each inference finds, except in depthwise kernels and embeddings (dynamic). With null, in floats",
    )
    range_quantile: float | None = Field(
        None,
        gt=0.5,
        le=1,
        description="share of the calibration images whose values lie within the range of an activation, with"
        " `activations: 8` (1: all, null: 0.95)",
    )

    @model_validator(mode="before")
    @classmethod
    def _grids_of_integer_kernels(cls, values: Any) -> Any:
        """Put kernels that compute in integers on one grid per channel, however small they are."""
        if not isinstance(values, dict):
            return values
        activations, quantile = values.get("activations"), values.get("range_quantile")
        if activations == 8:
            values = values | {"range_quantile": _RANGE_QUANTILE if quantile is None else quantile}
        elif quantile is not None:
            raise ValueError("range_quantile: only activations of 8 bits have such ranges; add 'activations: 8'")
        if activations is None:
            return values
        for key, only in _WITH_ACTIVATIONS.items():
            if (value := values.get(key, only)) != only:
                raise ValueError(f"{key}: {value}, but kernels that compute in integers take {only}; leave it out")
        return values | _WITH_ACTIVATIONS

    @model_validator(mode="after")
    def _can_be_computed(self) -> Quantize:
        if self.type == "float" and self.bits != 16:
            raise ValueError(f"bits: {self.bits}, but floats (type: float) take 16")
        if self.type == "float" and self.activations is not None:
            raise ValueError("activations: floats (type: float) do not compute in integers; leave out one of the two")
        if self.activations is not None and self.most_bits > 8:
            raise ValueError(f"bits: {self.most_bits}, but kernels that compute in integers (activations) take 2 to 8")
        if isinstance(self.bits, dict) and not self.bits:
            raise ValueError("bits: is empty; name patterns of tensors, such as '*': 4")
        if self.type == "float" and (odd := self.options):
            raise ValueError(f"{next(iter(odd))}: floats (type: float) have no grid; leave it out")
        return self

    @property
    def module(self) -> str | None:
        """Return the module of the method, or None where it takes more than weights."""
        return None if self.on_data else "tocompress.compression.quantization.grid"

    @property
    def on_data(self) -> bool:
        """Return whether the method runs the network on the calibration set."""
        return bool(self.keys_on_data)

    @property
    def keys_on_data(self) -> tuple[str, ...]:
        """Return the keys whose values ask for the calibration set."""
        asked = {
            "bits": isinstance(self.bits, Budget),
            "rounding": self.rounding == "learned",
            "correction": self.correction is not None,
            "statistics": self.statistics == "recalibrated",
        }
        return tuple(key for key, does in asked.items() if does)

    @property
    def most_bits(self) -> int:
        """Return the most bits that a kernel can get."""
        if isinstance(self.bits, Budget):
            return KEPT_BITS
        highest = max(self.bits.values(), default=0) if isinstance(self.bits, dict) else self.bits
        return max(highest, KEPT_BITS) if self.keep else highest

    @property
    def uniform_bits(self) -> int | None:
        """Return the bits of all kernels but those to keep, or None where they differ."""
        return self.bits if isinstance(self.bits, int) else None

    @property
    def options(self) -> dict[str, Any]:
        """Return the keys that differ from the paper's quantizer, with their values."""
        fields = type(self).model_fields
        return {name: value for name in _OPTIONS if (value := getattr(self, name)) != fields[name].default}

    @property
    def options_in_words(self) -> str | None:
        """Return the options, and bits that are not the same for all kernels, as a text for tables and captions."""
        bits = ["mixed bits"] if isinstance(self.bits, dict) else []
        if isinstance(self.bits, Budget):
            bits = [f"{self.bits.budget:g} bits on average"]
        told = {key: " ".join(value) if isinstance(value, tuple) else value for key, value in self.options.items()}
        return ", ".join([*bits, *(f"{key} {value}" for key, value in told.items())]) or None


#: It leaves out the images that make the last blocks of deep networks explode (docs/runtimes.md).
_RANGE_QUANTILE = 0.95

#: Bits of kernels to keep, and the most of a budget.
KEPT_BITS = 8

_OPTIONS = ("range", "rounding", "correction", "keep", "statistics")
_WITH_ACTIVATIONS = {"granularity": "channel", "minimum_values": 1}


class Prune(Settings):
    """Structured pruning: filters and units are removed, and the rest is retrained (paper, II-B)."""

    module: ClassVar = None
    changes_shapes: ClassVar = True

    method: Literal["prune"]
    share: float = Field(
        ge=0,
        lt=1,
        description="fraction of the removable filters and units to remove (0 only retrains, as a control)",
    )
    criterion: Literal["l1", "l2", "taylor", "random"] = Field(
        "l1", description="filters and units are ranked by the norm of their weights, the loss without them, or chance"
    )
    ranking: Literal["global", "layerwise"] = Field(
        "global", description="removes the least important of all layers, or the same share of each layer"
    )
    floor: Count = Field(2, description="minimum of filters or units that a layer keeps")
    round_to: Count = Field(1, description="a layer that loses filters or units keeps a multiple of this number")
    rounds: Count = Field(1, description="number of cuts to reach the share, each followed by retraining")
    retrain: bool = Field(True, description="whether a trained model is retrained (initial weights never are)")
    statistics: Literal["stored", "recalibrated"] = Field(
        "stored",
        description="batch norm's mean and variance after a cut: as trained, or fitted to the smaller network on the"
        " calibration set, so that its outputs have the mean and the variance that they had",
    )
    seed: int = Field(1, ge=0, description="seed of the criterion 'random'")

    @model_validator(mode="after")
    def _does_something(self) -> Prune:
        if self.share == 0 and not self.retrain:
            raise ValueError("share: 0 without retraining changes nothing; take 'fp32' instead")
        return self


Technique = Annotated[Quantize | Prune, Field(discriminator="method")]
