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
    bits: int = Field(ge=2, le=16, description="bits a weight is stored in")
    granularity: Literal["tensor", "channel"] = Field(
        "tensor", description="one grid a tensor, as in the paper, or one an output channel"
    )
    minimum_values: int = Field(1024, ge=1, description="kernels of fewer values stay float")


class Prune(Settings):
    """Structured pruning: filters and units are removed, what is left is retrained (paper, II-B)."""

    module: ClassVar = None
    changes_shapes: ClassVar = True

    method: Literal["prune"]
    share: float = Field(
        ge=0,
        lt=1,
        description="of all filters and units that can be removed, those that are; 0 only retrains, as a control",
    )
    criterion: Literal["l1", "l2", "taylor", "random"] = Field(
        "l1", description="what ranks them: the norm of their weights, the loss without them, or chance"
    )
    ranking: Literal["global", "layerwise"] = Field(
        "global", description="the least important of all layers go, or the same share of each"
    )
    floor: Count = Field(2, description="filters or units that a layer keeps at least")
    round_to: Count = Field(1, description="a layer that loses any keeps a multiple of this")
    rounds: Count = Field(1, description="cuts, each followed by retraining, that the share is reached in")
    retrain: bool = Field(True, description="whether a trained model is retrained; one with initial weights never is")
    seed: int = Field(1, ge=0, description="of the criterion 'random'")

    @model_validator(mode="after")
    def _does_something(self) -> Prune:
        if self.share == 0 and not self.retrain:
            raise ValueError("share: 0 without retraining changes nothing; take 'fp32' instead")
        return self


Technique = Annotated[Quantize | Prune, Field(discriminator="method")]
