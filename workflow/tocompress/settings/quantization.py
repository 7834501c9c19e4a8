"""The config's techniques that quantize."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tocompress.settings.base import Settings


class Quantize(Settings):
    """Post-training quantization of the weights, without retraining (paper, II-A)."""

    method: Literal["quantize"]
    bits: int = Field(ge=2, le=16, description="bits a weight is stored in")
    granularity: Literal["tensor", "channel"] = Field(
        "tensor", description="one grid a tensor, as in the paper, or one an output channel"
    )
    minimum_values: int = Field(1024, ge=1, description="kernels of fewer values stay float")
