from __future__ import annotations

import subprocess
import sys

import pytest

from tocompress.errors import StudyError
from tocompress.models.registry import NETWORKS, Network, build

CNNS = [network for network in NETWORKS.values() if network.kind == "cnn"]


def test_facts_are_read_without_loading_a_framework() -> None:
    code = "import sys, tocompress.models.registry; sys.exit(bool({'keras', 'tensorflow', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}).returncode == 0


def test_an_unknown_network_is_answered_with_the_known_ones() -> None:
    with pytest.raises(StudyError, match=r"alexnet.*inception_v1.*vgg_19.*gnmt"):
        build("alexnet", width=1.0, input_size=224, classes=10)


def test_gnmt_is_no_image_network() -> None:
    with pytest.raises(StudyError, match="gnmt is not an image network"):
        build("gnmt", width=1.0, input_size=224, classes=10)


@pytest.mark.parametrize("network", CNNS, ids=lambda network: network.name)
def test_too_small_an_image_is_refused(network: Network) -> None:
    assert network.minimum_input_size is not None
    too_small = network.minimum_input_size - 1
    with pytest.raises(StudyError, match=f"{network.name}: input_size {too_small} is too small"):
        build(network.name, width=1.0, input_size=too_small, classes=10)


@pytest.mark.parametrize(("width", "classes"), [(0.0, 10), (-1.0, 10), (1.0, 0)])
def test_an_impossible_width_or_class_count_is_refused(width: float, classes: int) -> None:
    with pytest.raises(StudyError, match="must be positive"):
        build("vgg_16", width=width, input_size=32, classes=classes)
