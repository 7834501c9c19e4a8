"""Processes that run the scripts of rules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cases import Jobs


@pytest.fixture(scope="session")
def jobs() -> Iterator[Jobs]:
    """For scripts that do without TensorFlow, or import it themselves."""
    jobs = Jobs("pandas", "pyarrow.parquet", "pydantic", "safetensors.numpy", "PIL.Image", "yaml", "scipy.special")
    yield jobs
    jobs.close()


@pytest.fixture(scope="session")
def tensorflow_jobs() -> Iterator[Jobs]:
    """For scripts that take TensorFlow, which is imported once."""
    jobs = Jobs("tensorflow")
    yield jobs
    jobs.close()
