"""A file from elsewhere, wherever the config names one."""

from __future__ import annotations

from pydantic import Field

from tocompress.settings.base import Settings, Sha256


class Download(Settings):
    """Where a file is, and how it is known to be the right one."""

    url: str = Field(description="https:, http: or file: address, or a path from the repository's root")
    sha256: Sha256 | None = Field(
        None,
        description="digest of what stands at `url`, checked before use; null: what is read from it is checked against"
        " what is known of it, and a later download has to have the digest of the first",
    )
    mirrors: tuple[str, ...] = Field((), description="further addresses of the same file, tried in order")
