"""Made-up studies of three sizes."""

from __future__ import annotations

import pandas as pd
import pytest
from made_up import ZOO, make_study

from tocompress.models.registry import NETWORKS


@pytest.fixture(scope="session")
def study() -> pd.DataFrame:
    return make_study()


@pytest.fixture(scope="session")
def both() -> pd.DataFrame:
    """The same study in TensorFlow and in LiteRT."""
    return make_study(litert=True)


@pytest.fixture(scope="session")
def large_study() -> pd.DataFrame:
    """All eleven networks in both runtimes, with power."""
    full = [
        f"{network}_full" for network in NETWORKS if network not in ("vgg_16", "gnmt", "mobilenet_v1", "resnet_v1_50")
    ]
    return make_study((*ZOO, *full), power=True, litert=True)


@pytest.fixture(scope="session")
def small_study() -> pd.DataFrame:
    return make_study(("mobilenet_v1", "gnmt"), ("fp32", "q8"))
