"""Claims: the paper's numbers beside the study's."""

from __future__ import annotations

from tocompress.tables import COUNT, FLOAT, TEXT, schema

#: One row a reading of a claim; numbers are in the row's `unit`, changes with their sign.
CLAIMS = schema(
    "claims",
    claim=(TEXT, "its id in config/claims.yaml"),
    reading=(TEXT, "how the paper's text is read; null: in the only way"),
    section=(TEXT, "of the paper"),
    figure=(TEXT, "of the paper; null: in the text only"),
    statement=(TEXT, ""),
    unit=(TEXT, "%, points, ×, MB, million or the metric's"),
    paper=(FLOAT, "see unit; the lower end of a range; null: the paper states no number, `bound` is of no change"),
    paper_high=(FLOAT, "see unit; the upper end of a range"),
    bound=(TEXT, "about, at most, at least or range"),
    margin=(FLOAT, "see unit; equal within so much"),
    value=(FLOAT, "see unit; this study's, in which `models` says"),
    low=(FLOAT, "see unit; null with `high` where the value is exact or has no interval"),
    high=(FLOAT, "see unit"),
    level=(FLOAT, "confidence level of low..high; null where they are the ends of exact values"),
    n=(COUNT, "models behind the value"),
    verdict=(TEXT, "agrees, same direction, contradicts, undecided, not comparable, not measured or circular"),
    reason=(TEXT, "why this verdict, and what the value lacks"),
    inconsistent_with=(TEXT, "claims of the paper that cannot hold beside this one"),
    models=(TEXT, ""),
)
