"""Estimate whether the study's networks fit the memory of a device at their published size."""

from __future__ import annotations

from tocompress.models.registry import NETWORKS
from tocompress.vocabulary.runtimes import LITERT, TENSORFLOW

_BYTES_OF_A_WEIGHT = 4  # in fp32

#: Runtime -> peak of a process, above the imported runtime, by the bytes of its fp32 weights. The peak is in the first
#: inference. TensorFlow 2.21 took 12.0 to 12.7 times (GNMT, ResNet 50, VGG 16, Inception v3), and 15 of MobileNet's
#: 17 MB. LiteRT 2.3 took 2.1 to 2.8 times (VGG 16, ResNet 50, MobileNet). All on x86-64, one thread, batches of one.
PEAK_OF_WEIGHTS = {TENSORFLOW: 13.0, LITERT: 2.5}


def needed_bytes(runtime: str) -> dict[str, float]:
    """Return network -> the memory that its fp32 variant needs beyond the imported runtime, the smallest first."""
    needs = {
        name: PEAK_OF_WEIGHTS[runtime] * _BYTES_OF_A_WEIGHT * (network.parameters or 0)
        for name, network in NETWORKS.items()
    }
    return dict(sorted(needs.items(), key=lambda need: need[1]))


def fitting(runtime: str, free: int) -> str:
    """Return which networks fit into so many bytes, which do not, and the basis of the estimate, as a text."""
    needs = needed_bytes(runtime)
    small = [name for name, need in needs.items() if need <= free]
    large = [f"{name} (needs {need / 1e9:.1f} GB)" for name, need in needs.items() if need > free]
    parts = (
        f"{runtime}: fits: {(', '.join(small) or 'none') if large else 'all'}",
        f"does not fit: {', '.join(large)}" if large else "",
        f"estimated at {PEAK_OF_WEIGHTS[runtime]:g} bytes for a byte of fp32 weights",
    )
    return "; ".join(filter(None, parts))
