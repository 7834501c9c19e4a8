"""Export."""

from __future__ import annotations

from tocompress.tables import COUNT, TEXT, schema

#: What one inference takes, one row a structure.
STRUCTURE = schema(
    "structure",
    macs=(COUNT, "1"),
)

#: What a device loads, one row a variant.
ARTIFACT = schema(
    "artifact",
    variant=(TEXT, ""),
    size=(COUNT, "byte"),
    size_deflated=(COUNT, "byte"),
    parameters=(COUNT, "1"),
    macs=(COUNT, "1"),
    sha256=(TEXT, ""),
)
