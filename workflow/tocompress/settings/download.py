"""A file from elsewhere, wherever the config names one."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, model_validator

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

    @model_validator(mode="after")
    def _can_be_fetched(self) -> Download:
        for address in (self.url, *self.mirrors):
            _check(address)
        return self


def _check(address: str) -> None:
    """A ValueError, which holds no secret of it, where nothing can be at an address."""
    if not address.isprintable():
        raise ValueError("an address of printable characters is needed")
    parts = urlsplit(address)
    if "@" in parts.netloc:
        raise ValueError("an address with a user or a password in it, which results would show; fetch the file by hand")
    if "://" in address and parts.scheme not in ("https", "http", "file"):
        raise ValueError(f"'{parts.scheme}:' is no address that can be fetched; https:, http: and file: are")
    if parts.scheme in ("https", "http") and not parts.hostname:
        raise ValueError(f"'{address}' names no server; https://server/file is needed")
