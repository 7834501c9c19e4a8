"""What holds for every variant and every config, not only for those that are written down here."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tocompress.errors import StudyError
from tocompress.paths import Paths
from tocompress.plan import Plan
from tocompress.settings.study import BASELINE, Study, load

REPOSITORY = Path(__file__).parents[2]
CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
TECHNIQUES = {name: entry["method"] for name, entry in CONFIG["techniques"].items()}
TRAINED = "vgg_16"  # whose retraining is configured

few = settings(deadline=None, max_examples=50)

Step = str | int
Location = tuple[Step, ...]


def with_variant(variant: str) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    config["study"] |= {"models": [TRAINED], "variants": {"default": [variant]}, "benchmarked": None}
    return config


def chained(links: list[str]) -> bool:
    """The grammar in words: known techniques, at least one, each method once."""
    methods = [TECHNIQUES.get(link) for link in links]
    return bool(links) and None not in methods and len(set(methods)) == len(methods)


CHAINS = st.lists(st.sampled_from(sorted(TECHNIQUES)), min_size=1, max_size=3).filter(chained)


@few
@given(CHAINS)
def test_every_chain_is_accepted_and_each_link_has_its_parent_and_its_structure(links: list[str]) -> None:
    variant = "-".join(links)
    study = load(with_variant(variant))
    assert study.variants(TRAINED) == (BASELINE, variant)
    pruned = [number for number, link in enumerate(links, 1) if TECHNIQUES[link] == "prune"]
    assert study.pruned_parent(variant) == ("-".join(links[: pruned[0]]) if pruned else None)
    # Quantization that comes last shares the graph of what it is applied to; pruning has its own.
    of_graph = links if TECHNIQUES[links[-1]] == "prune" else links[:-1]
    assert Plan(study, Paths("results")).structure(variant) == ("-".join(of_graph) or BASELINE)


LINKS = st.one_of(st.sampled_from([*sorted(TECHNIQUES), BASELINE, "", "q7", "Q8", " q8"]), st.text(max_size=4))


@few
@given(st.lists(LINKS, max_size=4).map("-".join))
@example(f"{BASELINE}-q8")
@example("q8-q6")
@example("../../x")
@example("q8\np05")
@example("\ud800")
def test_whatever_is_no_chain_is_refused_in_one_line(variant: str) -> None:
    if variant == BASELINE or chained(variant.split("-")):
        load(with_variant(variant))
        return
    with pytest.raises(StudyError, match=r"^config: study\.variants") as refused:
        load(with_variant(variant))
    assert str(refused.value).isprintable()


def leaves(node: Any, at: Location = ()) -> Iterator[Location]:
    """The places of all that is neither mapping nor list."""
    if isinstance(node, dict | list):
        for key, child in node.items() if isinstance(node, dict) else enumerate(node):
            yield from leaves(child, (*at, key))
    else:
        yield at


#: With every key that may be left out.
COMPLETE = load(CONFIG).model_dump(mode="json")
LEAVES = sorted(leaves(COMPLETE), key=str)


def replaced(at: Location, value: object) -> dict[str, Any]:
    config = copy.deepcopy(COMPLETE)
    section: Any = config
    for step in at[:-1]:
        section = section[step]
    section[at[-1]] = value
    return config


@few
@given(st.sampled_from(LEAVES), st.sampled_from([[], {"a": {}}, [[1]], float("nan"), -1e300]))
def test_a_wrong_value_anywhere_is_refused_by_its_key(at: Location, value: object) -> None:
    with pytest.raises(StudyError) as refused:
        load(replaced(at, value))
    message = str(refused.value)
    named = [str(step) for step in at if isinstance(step, str)]
    assert message.isprintable()
    # A model's own checks name the model, and the selection's its list.
    assert message.startswith(f"config: {'.'.join(named[:2])}") or message.startswith(f"config: {named[0]}: ")


@few
@given(st.sampled_from(LEAVES))
def test_a_misspelt_key_anywhere_is_refused_by_its_name(at: Location) -> None:
    keys = [number for number, step in enumerate(at) if isinstance(step, str)]
    config: Any = copy.deepcopy(COMPLETE)
    section = config
    for step in at[: keys[-1]]:
        section = section[step]
    section[f"{at[keys[-1]]}_"] = section.pop(at[keys[-1]])
    if at[:2] == ("study", "variants"):
        return  # any selected model is a key there, and one more is no mistake
    with pytest.raises(StudyError, match="config: ") as refused:
        load(config)
    assert str(at[keys[-1]]) in str(refused.value)


def shuffled(node: Any, random: Any) -> Any:
    """The same with keys in another order."""
    if isinstance(node, dict):
        keys = [*node]
        random.shuffle(keys)
        return {key: shuffled(node[key], random) for key in keys}
    return [shuffled(child, random) for child in node] if isinstance(node, list) else node


@few
@given(st.randoms(use_true_random=False))
def test_a_config_means_the_same_in_any_order_and_after_being_written(random: Any) -> None:
    study = load(CONFIG)
    assert load(shuffled(CONFIG, random)) == study
    assert load(shuffled(COMPLETE, random)) == study
    assert load(shuffled(CONFIG, random)).canonical() == study.canonical()
    assert Study.model_validate_json(study.canonical()) == study
    assert load(yaml.safe_load(yaml.safe_dump(COMPLETE))) == study


@few
@given(st.floats(0.01, 0.99))
@example(0.5)
def test_a_number_means_the_same_however_it_is_written(share: float) -> None:
    exact = Decimal(share)
    texts = [repr(share), f"{share:.17e}", str(exact), f"{exact.scaleb(1)}e-1"]  # the last is a text, to YAML
    found = {load(replaced(("techniques", "p50", "share"), yaml.safe_load(text))).canonical() for text in texts}
    assert len(found) == 1
    assert json.loads(found.pop())["techniques"]["p50"]["share"] == share
