"""Acquire: datasets."""

from __future__ import annotations

from tocompress.tables import COUNT, TEXT, schema

#: Pairs of sentences.
SENTENCES = schema(
    "sentences",
    example=(COUNT, ""),
    source=(TEXT, ""),
    reference=(TEXT, ""),
    template=(TEXT, ""),
)
