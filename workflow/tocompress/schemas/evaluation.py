"""Evaluate."""

from __future__ import annotations

from tocompress.schemas.value import VALUE
from tocompress.tables import COUNT, FLOAT, TEXT, schema

#: The best classes of each image.
IMAGE_PREDICTIONS = schema(
    "image_predictions",
    example=(COUNT, "row of the test set"),
    label=(COUNT, "true class"),
    rank=(COUNT, "1 is the best"),
    predicted=(COUNT, "class"),
    score=(FLOAT, "softmax probability"),
)

#: The translation of each sentence.
SENTENCE_PREDICTIONS = schema(
    "sentence_predictions",
    example=(COUNT, "row of the test set"),
    reference=(TEXT, ""),
    plain_reference=(TEXT, "the reference as published, where `reference` is its tokens"),
    hypothesis=(TEXT, ""),
)

#: Scores of a variant.
METRICS = schema("metrics", **VALUE)
