"""A budget of bits is distributed with the least harm, as trying all distributions shows."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

from tocompress.compression.quantization.budget import distributed, harm_of
from tocompress.errors import StudyError

SIZES = {"first": 100, "wide": 1000, "last": 50}
HARM = {
    "first": {2: 9.0, 4: 3.0, 8: 0.1},
    "wide": {2: 2.0, 4: 0.5, 8: 0.0},
    "last": {2: 1.0, 4: 0.2, 8: 0.1},
}


def mean(bits, sizes):
    return sum(bits[kernel] * size for kernel, size in sizes.items()) / sum(sizes.values())


def total(bits, harm):
    return sum(harm[kernel][own] for kernel, own in bits.items())


def every_distribution(harm):
    return [dict(zip(harm, bits, strict=True)) for bits in product(*harm.values())]


@pytest.mark.parametrize(
    ("budget", "bits"),
    [
        (2.0, (2, 2, 2)),
        (2.65, (8, 2, 4)),  # the small kernel that harms most comes first
        (4.4, (8, 4, 4)),
        (8.0, (8, 8, 8)),
    ],
)
def test_bits_go_where_they_save_most_harm(budget, bits):
    assert distributed(budget, SIZES, HARM, ()) == dict(zip(SIZES, bits, strict=True))


@given(budget=some.floats(2, 8), seed=some.integers(0, 1000))
def test_no_distribution_within_the_budget_does_less_harm(budget, seed):
    random = np.random.default_rng(seed)
    sizes = {f"k{number}": int(size) for number, size in enumerate(random.integers(1024, 9000, 4))}
    harm = {kernel: {bits: float(random.exponential() * 4.0**-bits) for bits in (2, 3, 5, 8)} for kernel in sizes}
    chosen = distributed(budget, sizes, harm, ())
    assert mean(chosen, sizes) <= budget + 1e-6
    allowed = [bits for bits in every_distribution(harm) if mean(bits, sizes) <= budget]
    assert total(chosen, harm) <= min(total(bits, harm) for bits in allowed) + 1e-6


def test_kept_kernels_have_8_bits_and_count_in_the_mean():
    chosen = distributed(3.0, SIZES, HARM, {"last"})
    assert chosen == {"first": 8, "wide": 2, "last": 8}
    assert mean(chosen, SIZES) <= 3.0


def test_a_budget_below_what_kept_kernels_leave_is_one_line():
    with pytest.raises(StudyError, match=r"^bits: a budget of 3, but with 1 kernels .* least mean is 7\.22; raise it"):
        distributed(3.0, SIZES, HARM, {"wide"})


def scan(*rows):
    return pd.DataFrame(rows, columns=["tensor", "bits", "divergence"])


def test_harm_is_the_divergence_of_each_kernel_alone_at_8_bits_or_fewer():
    table = scan((None, None, 0.0), ("a", 2, 0.5), ("a", 8, 0.1), ("a", 12, 0.0), ("b", 2, 0.7), (None, 2, 3.0))
    assert harm_of(table, ["a"]) == {"a": {2: 0.5, 8: 0.1}}


def test_a_kernel_that_the_scan_lacks_is_one_line():
    with pytest.raises(StudyError, match=r"^bits: the scan of the model has no b of 8 bits or fewer$"):
        harm_of(scan(("a", 2, 0.5), ("b", 12, 0.5)), ["a", "b"])
