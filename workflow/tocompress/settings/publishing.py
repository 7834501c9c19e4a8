"""The config's `publish`: the package of a study."""

from __future__ import annotations

from pydantic import Field

from tocompress.settings.base import Settings


class Publish(Settings):
    """The package of a study, which is made on request."""

    artifacts: tuple[str, ...] = Field(
        ("*",),
        description="patterns of the artifacts and weights that it holds, such as `artifacts/litert/vgg_16/*` (an empty"
        " list: none)",
    )
