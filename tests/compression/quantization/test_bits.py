"""The bits of each kernel: by the first pattern that matches, and at least 8 for those to keep."""

import pytest

from tocompress.compression.quantization.bits import bits_of, kept
from tocompress.errors import StudyError

KERNELS = ["net/stem/weights", "net/block_1/weights", "net/block_2/weights", "net/logits/weights"]


def test_one_number_is_for_all():
    assert bits_of(4, (), KERNELS) == dict.fromkeys(KERNELS, 4)


def test_the_first_match_wins_and_no_match_stays_float():
    bits = {"*/block_1/*": 3, "*/block_*": 5, "*/logits/weights": 6}
    assert bits_of(bits, (), KERNELS) == dict(zip(KERNELS[1:], (3, 5, 6), strict=True))
    assert bits_of({"*": 4, "*/stem/*": 8}, (), KERNELS) == dict.fromkeys(KERNELS, 4)


def test_first_last_and_patterns_keep_at_least_8_bits():
    assert kept(["first", "last"], KERNELS) == {KERNELS[0], KERNELS[-1]}
    assert bits_of(4, ["first", "*/block_2/*"], KERNELS) == dict(zip(KERNELS, (8, 4, 8, 4), strict=True))
    assert bits_of(10, ["last"], KERNELS) == dict.fromkeys(KERNELS, 10)
    assert bits_of({"*/block_*": 4}, ["first"], KERNELS) == dict.fromkeys(KERNELS[1:3], 4)  # a float stays one


def test_a_network_without_kernels_to_quantize_has_no_first_and_no_last():
    assert bits_of(4, ["first", "last"], []) == {}


@pytest.mark.parametrize(
    ("bits", "keep", "message"),
    [
        (
            {"*": 4, "*/head/*": 8},
            (),
            r"bits: '\*/head/\*' matches none of the 4 kernels to quantize, such as net/stem/",
        ),
        (
            4,
            ("first", "stem"),
            r"keep: 'stem' matches none of the 4 kernels to quantize, such as net/stem/",
        ),
    ],
)
def test_a_pattern_that_matches_nothing_is_one_line(bits, keep, message):
    with pytest.raises(StudyError, match=f"^{message}") as raised:
        bits_of(bits, keep, KERNELS)
    assert "\n" not in str(raised.value)
