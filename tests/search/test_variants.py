"""A configuration is a variant of ordinary techniques, whose bits follow the groups of kernels."""

import pandas as pd
import pytest
from pydantic import TypeAdapter

from tocompress.errors import StudyError
from tocompress.search.space import UNCOMPRESSED, Configuration
from tocompress.search.variants import groups_of, knowledge_of, named, of_all
from tocompress.settings.technique import Technique
from tocompress.vocabulary.arithmetic import FLOAT, INTEGER

VALUES = {"a/weights": 1000, "b/weights": 9000, "c/weights": 5000, "d/weights": 5000}
GROUPS = (("a/weights", "b/weights"), ("c/weights", "d/weights"))


def scan(values=VALUES):
    """A scan in which a kernel of b bits alone costs a hundredth of 8 - b."""
    rows = [(name, bits, count, (bits - 8) / 100) for bits in (4, 8) for name, count in values.items()]
    table = pd.DataFrame(rows, columns=["tensor", "bits", "values", "change"])
    return pd.concat([pd.DataFrame({"tensor": [None], "bits": [None], "values": [20_000], "change": [0.0]}), table])


def test_groups_are_runs_of_kernels_with_about_the_same_number_of_weights():
    assert groups_of(scan(), 1) == (tuple(VALUES),)
    assert groups_of(scan(), 2) == GROUPS
    assert groups_of(scan(), 4) == tuple((name,) for name in VALUES)
    one_large = dict(zip("abcd", (10, 10, 10_000, 10), strict=True))
    assert groups_of(scan(one_large), 3) == (("a", "b"), ("c",), ("d",))
    with pytest.raises(StudyError, match="search: 5 groups, but the model has 4 kernels to quantize; take fewer"):
        groups_of(scan(), 5)


def test_the_harm_of_a_group_is_of_its_kernels_and_in_the_unit_of_the_metric():
    known = knowledge_of(scan(), GROUPS, "top1")
    assert known.weights == (10_000, 10_000)
    assert known.harms["top1"][8] == (0, 0)
    assert known.harms["top1"][4] == pytest.approx((-0.02, -0.02))
    assert knowledge_of(scan(), GROUPS, "bleu").harms["bleu"][4] == pytest.approx((-2, -2))
    assert not knowledge_of(scan(), GROUPS, None).harms


@pytest.mark.parametrize(
    ("configuration", "variant"),
    [
        (UNCOMPRESSED, "fp32"),
        (Configuration(0.15, FLOAT, ()), "search_p15"),
        (Configuration(0, FLOAT, (8, 4)), "search_q8_4"),
        (Configuration(0.3, INTEGER, (8, 8)), "search_p3-search_i8_8"),
    ],
)
def test_a_configuration_is_a_variant_of_techniques_that_the_config_takes(configuration, variant):
    name, techniques = named(configuration, GROUPS, "classification")
    assert name == variant
    for technique in techniques.values():
        TypeAdapter(Technique).validate_python(technique)


def test_each_kernel_gets_the_bits_of_its_group_and_32_bits_stay_floats():
    _, techniques = named(Configuration(0, FLOAT, (4, 32)), GROUPS, "classification")
    assert techniques["search_q4_32"]["bits"] == dict.fromkeys(GROUPS[0], 4)
    (integers,) = named(Configuration(0, INTEGER, (8,)), GROUPS, "translation")[1].values()
    assert (integers["activations"], integers["bits"]) == ("dynamic", 8)


def test_every_configuration_has_a_name_of_its_own():
    chosen = [Configuration(share, FLOAT, bits) for share in (0.1, 0.15, 0.01) for bits in ((), (4, 8), (8, 4), (4, 4))]
    variants, techniques = of_all(chosen, GROUPS, "classification")
    assert len(set(variants.values())) == len(chosen)
    assert len(techniques) == 3 + 3
