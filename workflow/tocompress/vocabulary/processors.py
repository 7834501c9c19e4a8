"""The instructions of processors that multiply integers of 8 bits."""

from __future__ import annotations

from collections.abc import Collection

#: The products of integers that a processor can have, the fastest of each family first, with their features.
_PRODUCTS = {
    "AMX": {"amx_int8"},
    "VNNI": {"avx512_vnni", "avx_vnni"},
    "int8 matrix multiply": {"i8mm"},
    "dot product": {"asimddp"},
}

#: The features of processors whose other features are known too.
_VECTORS = {"asimd", "avx2", "avx512f", "neon", "sse4_1"}

NONE, UNKNOWN = "none", "unknown"


def integer_products(features: Collection[str]) -> str:
    """Return the best instruction for products of integers, by the names of features in /proc/cpuinfo.

    Return `none` for a processor that multiplies integers only after it has widened them, and `unknown` where the
    features do not tell.
    """
    for products, signs in _PRODUCTS.items():
        if not signs.isdisjoint(features):
            return products
    return UNKNOWN if _VECTORS.isdisjoint(features) else NONE
