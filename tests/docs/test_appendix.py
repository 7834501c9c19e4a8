"""The artifact appendix holds the numbers of the sources."""

from __future__ import annotations

import appendix


def test_the_appendix_is_what_its_sources_say() -> None:
    assert appendix.page() == appendix.PAGE.read_text(encoding="utf-8"), "run: make appendix"
