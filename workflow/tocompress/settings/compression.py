"""The config's `techniques`: what can be done to a model."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tocompress.settings.pruning import Prune
from tocompress.settings.quantization import Quantize

Technique = Annotated[Quantize | Prune, Field(discriminator="method")]
