"""The estimate of memory against the peaks that were measured at the published sizes."""

from __future__ import annotations

import pytest

from tocompress.measurement.sizes import fitting, needed_bytes
from tocompress.models.registry import NETWORKS


@pytest.mark.parametrize(
    ("runtime", "network", "megabytes"),
    [
        *(("tensorflow", "resnet_v1_50", 1261), ("tensorflow", "inception_v3", 1207)),
        *(("tensorflow", "vgg_16", 6961), ("tensorflow", "gnmt", 10170)),
        *(("litert", "mobilenet_v1", 48), ("litert", "resnet_v1_50", 230), ("litert", "vgg_16", 1151)),
    ],
)
def test_the_estimate_is_near_each_measured_peak(runtime: str, network: str, megabytes: float) -> None:
    assert 0.8 <= 1e6 * megabytes / needed_bytes(runtime)[network] <= 1.15


def test_every_network_fits_or_does_not() -> None:
    told = fitting("tensorflow", 3_000_000_000)
    small, large = told.split("; ")[:2]
    assert all((name in small) != (name in large) for name in NETWORKS)
    assert fitting("tensorflow", 20_000_000_000).startswith("tensorflow: fits: all; estimated at 13 bytes")
    assert "fits: none; does not fit: mobilenet_v1 (needs 0.2 GB)" in fitting("tensorflow", 0)
