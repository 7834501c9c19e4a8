"""The config's `compare`: when two studies are equal."""

from __future__ import annotations

from pydantic import Field

from tocompress.settings.base import Settings


class Compare(Settings):
    """How this study is compared with another one."""

    equal: float = Field(
        0.05, gt=0, lt=1, description="costs are equal where the interval of their ratio is this close to 1"
    )
    equal_points: float = Field(
        1, gt=0, description="accuracies are equal where the interval of their difference is within so many points"
    )
