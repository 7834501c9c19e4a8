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
    plain_reference=(TEXT, "the reference as published, where `reference` is its tokens"),
)

#: Where each photograph is, and its label.
PHOTOGRAPHS = schema(
    "photographs",
    example=(COUNT, ""),
    file=(TEXT, "the image, or an archive or record file that holds it"),
    offset=(COUNT, "byte"),
    size=(COUNT, "byte"),
    label=(COUNT, "synset, 0..999 in sorted order"),
)
