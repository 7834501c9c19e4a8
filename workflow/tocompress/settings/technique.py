"""The config's `techniques`: the ways to change a model. A method is a class.

`module` holds the method's function `compress`, from weights and a technique to weights and a table of schema
`compression`. A method that needs more than weights has a rule of its own, and no module. A method that changes no
shape shares the graph of the parent variant.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tocompress.settings.base import Count, Settings


class Quantize(Settings):
    """Post-training quantization of the weights, without retraining (paper, II-A)."""

    module: ClassVar = "tocompress.compression.quantization.grid"
    changes_shapes: ClassVar = False

    method: Literal["quantize"]
    bits: int = Field(ge=2, le=16, description="bits per stored weight")
    granularity: Literal["tensor", "channel"] = Field(
        "tensor", description="one grid per tensor, as in the paper, or per output channel"
    )
    minimum_values: int = Field(1024, ge=1, description="kernels with fewer values stay float")


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
    seed: int = Field(1, ge=0, description="seed of the criterion 'random'")

    @model_validator(mode="after")
    def _does_something(self) -> Prune:
        if self.share == 0 and not self.retrain:
            raise ValueError("share: 0 without retraining changes nothing; take 'fp32' instead")
        return self


Technique = Annotated[Quantize | Prune, Field(discriminator="method")]
