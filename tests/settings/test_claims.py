"""The claims of the paper are well formed, and a mistake among them is named in one line."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from tocompress.errors import StudyError
from tocompress.settings.claims import LARGEST_CUT, Claim, Claims, Margin, load

REPOSITORY = Path(__file__).parents[2]
TECHNIQUES = {"q8": "quantize", "q6": "quantize"}

TIME = {
    "id": "time", "section": "IV-E", "statement": "slower", "paper": 1.4, "metric": "latency", "expressed": "ratio",
    "variants": ["q8"], "networks": ["vgg_16"],
}  # fmt: skip
SHARE = {
    **TIME, "id": "share", "paper": 40, "metric": "operation_share", "expressed": "value", "labels": ["dequantization"],
}  # fmt: skip
MARGIN = {"percent": 5, "accuracy": 0.5, "effect": 0.5}
CONTENT = {"margin": MARGIN, "claims": [TIME, SHARE]}


def changed(**keys: object) -> dict:
    """The content with other keys of its first claim."""
    return {**CONTENT, "claims": [{**TIME, **keys}, SHARE]}


def written(folder: Path, content: object) -> Path:
    path = folder / "claims.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def shipped() -> Claims:
    techniques = yaml.safe_load((REPOSITORY / "config.yaml").read_text())["techniques"]
    return load(REPOSITORY / "config/claims.yaml", {name: entry["method"] for name, entry in techniques.items()})


def test_every_figure_of_the_paper_that_has_numbers_has_claims(shipped: Claims) -> None:
    panels = {f"{figure}{panel}" for figure in (13, 20) for panel in "abcdef"} | {f"41{panel}" for panel in "abcd"}
    assert {claim.figure for claim in shipped.claims} == {"Table I", "5", "6", "24", "27", "28"} | panels


def test_the_numbers_of_the_paper_are_counted_once_whatever_their_readings(shipped: Claims) -> None:
    assert len({claim.id for claim in shipped.claims if claim.paper is not None}) == 89
    readings = {claim.id: [one.reading for one in shipped.claims if one.id == claim.id] for claim in shipped.claims}
    assert len(readings["fig13c_q6"]) == 2
    assert len(readings["fig20c_top1"]) == 3
    assert all(len(set(own)) == len(own) and (own == [None] or None not in own) for own in readings.values())


def test_each_number_of_table_1_is_a_claim_on_the_network_of_its_row(shipped: Claims) -> None:
    claims = {claim.id: claim for claim in shipped.claims if claim.figure == "Table I"}
    assert len(claims) == 32
    assert all(claim.variants == ("fp32",) and claim.id.endswith(claim.networks[0]) for claim in claims.values())
    assert (claims["table1_parameters_resnet_v1_50"].paper, claims["table1_top5_resnet_v1_50"].paper) == (25.5, 90.2)
    inconsistent = {claim.id: claim.inconsistent_with for claim in claims.values() if claim.inconsistent_with}
    vgg_16, vgg_19 = "table1_parameters_vgg_16", "table1_parameters_vgg_19"
    assert inconsistent == {vgg_16: (vgg_19,), vgg_19: (vgg_16,)}


def test_each_number_about_a_threshold_is_read_as_filters_and_as_an_accuracy_budget(shipped: Claims) -> None:
    read: dict[str, set[str]] = {}
    for claim in shipped.claims:
        read.setdefault(claim.id, set()).update(claim.variants)
    by_filters = {name for name, variants in read.items() if "p05" in variants}
    assert {"fig5_pruned_time", "fig5_pruned_energy", "fig5_pruned_accuracy", "fig5_pruned_size"} <= by_filters
    assert by_filters == {name for name, variants in read.items() if LARGEST_CUT in variants}


def test_the_accuracy_of_the_cut_that_keeps_the_accuracy_is_circular(shipped: Claims) -> None:
    circular = {claim.id for claim in shipped.claims if claim.circular}
    judged = {"fig20c_top1", "fig20c_top5", "fig20c_bleu", "fig20f_precision", "fig20f_recall", "fig20f_f1"}
    assert circular == {"fig5_pruned_accuracy", *judged}


def test_no_change_agrees_with_no_claimed_change(shipped: Claims) -> None:
    changes = [
        claim for claim in shipped.claims
        if claim.bound in ("about", "range") and claim.compared and claim.paper is not None
    ]  # fmt: skip
    assert len(changes) > 50
    assert all(abs(claim.paper - claim.no_change) > shipped.margin_of(claim) for claim in changes)


@pytest.mark.parametrize(
    ("keys", "margin"),
    [
        ({"paper": 1.41}, 0.05),
        ({"paper": 1.03}, 0.015),
        ({"paper": -28, "expressed": "change"}, 5),
        ({"paper": -1.36, "expressed": "points", "metric": "top1"}, 0.68),
        ({"paper": None, "expressed": "change"}, 5),
        ({"paper": None}, 0.05),
        ({"paper": -5, "expressed": "change", "bound": "at least"}, 0),
        ({"paper": -11.6, "paper_high": -4.3, "expressed": "change", "bound": "range"}, 2.15),
        ({"paper": -49.26, "expressed": "amount", "metric": "size"}, 2.463),
        ({"paper": 138, "expressed": "value", "metric": "parameters"}, 6.9),
        ({"paper": 71.5, "expressed": "value", "metric": "top1"}, 0.5),
        ({"paper": 27.4, "expressed": "value", "metric": "bleu_tokenized", "networks": ["gnmt"]}, 1.37),
        ({**SHARE, "paper": 30, "paper_high": 50, "bound": "range"}, 1.5),
    ],
)
def test_the_margin_is_five_percent_and_at_most_half_of_the_effect(keys: dict, margin: float) -> None:
    claim = Claim(**{**TIME, **keys})
    claims = Claims(margin=Margin(**MARGIN), claims=(claim,))
    assert claims.margin_of(claim) == pytest.approx(margin)


def test_lists_may_be_shared_under_keys_of_their_own(tmp_path: Path) -> None:
    assert load(written(tmp_path, {"x-networks": ["vgg_16"], **CONTENT}), TECHNIQUES).claims[0].id == "time"


def test_a_reading_changes_keys_of_its_claim(tmp_path: Path) -> None:
    readings = {"as it stands": {}, "of 6 bits": {"variants": ["q6"]}}
    first, second, share = load(written(tmp_path, changed(readings=readings)), TECHNIQUES).claims
    assert (first.id, first.reading, first.variants) == ("time", "as it stands", ("q8",))
    assert second == first.model_copy(update={"reading": "of 6 bits", "variants": ("q6",)})
    assert (share.id, share.reading) == ("share", None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(metric="latnecy"), "time: metric: 'latnecy' is not known; did you mean 'latency'?"),
        (changed(variants=["q88"]), "time.variants: 'q88' is not known; did you mean 'q8'?"),
        (changed(variants=["p05-q8"]), "time.variants: 'p05' is not known; there is 'q8', 'q6'"),
        (changed(variants=["q8-q6"]), "time.variants: 'q8-q6' applies the same method twice"),
        (changed(baseline="fp23"), "time.baseline: 'fp23' is not known; did you mean 'fp32'?"),
        (changed(metric="latency_per_token"), "time: networks: 'vgg_16' is not judged by 'latency_per_token'"),
        (changed(expressed="points"), "time: expressed: 'latency' is no fraction"),
        (changed(networks=["vgg16"]), "time: networks: 'vgg16' is not known; did you mean 'vgg_16'?"),
        (changed(baseline="q8"), "time: baseline: 'q8' is among the variants"),
        (changed(metric="bleu"), "time: networks: 'vgg_16' is not judged by 'bleu'"),
        (changed(metric="top1", networks=["gnmt"]), "time: networks: 'gnmt' is not judged by 'top1'"),
        (changed(labels=["dequantization"]), "time: labels: classes of operations belong to"),
        (changed(**{**SHARE, "labels": ["dequantisation"]}), "share: labels: 'dequantisation' is not known; did you"),
        (changed(**{**SHARE, "expressed": "change"}), "share: expressed: 'operation_share' has no ratio"),
        (changed(margin=3), "time.margin: unknown key"),
        (changed(bound="range"), "time: paper_high: a range, and nothing else, has one"),
        (changed(bound="range", paper_high=1.3), "time: paper_high: 1.3 is not above `paper`, 1.4"),
        (changed(id="share"), "the id 'share' is given twice"),
        (changed(inconsistent_with=["shar"]), "time.inconsistent_with: 'shar' is not known; did you mean 'share'?"),
        (changed(inconsistent_with=["share"]), "share.inconsistent_with: lacks 'time', which names 'share'"),
        (changed(paper="much"), "time.paper: Input should be a valid number"),
        (changed(paper=None, bound="range", paper_high=2), "time: paper: without a number, 'range' of 'ratio' says"),
        (changed(**{**SHARE, "paper": None}), "share: paper: without a number, 'about' of 'value' says nothing"),
        (changed(aggregation="difference", expressed="change"), "time: networks: a difference is of two, not of 1"),
        (changed(aggregation="spread"), "time: expressed: take 'change' for a spread"),
        (changed(readings={}), "'time'.readings: a mapping of two readings or more is needed"),
        (changed(readings={"a": {}}), "'time'.readings: a mapping of two readings or more is needed"),
        (changed(readings=["a", "b"]), "'time'.readings: a mapping of two readings or more is needed"),
        (changed(readings={"a": {}, "b": 3}), "'time'.readings: 'b' is not a mapping of the keys that it changes"),
        (changed(readings={"a": {}, "b": {"id": "c"}}), "'time'.readings: 'b' changes 'id' or 'reading'"),
        (changed(readings={"a": {}, "b": {"papers": 1}}), "time (b).papers: unknown key"),
        (changed(readings={"a": {}, "b": {"variants": ["q7"]}}), "time.variants: 'q7' is not known"),
        ({"claims": [TIME]}, "margin: Field required"),
        (["claims"], "not a mapping"),
    ],
)
def test_a_mistake_is_named_in_one_line(tmp_path: Path, content: object, message: str) -> None:
    path = written(tmp_path, copy.deepcopy(content))
    with pytest.raises(StudyError) as caught:
        load(path, TECHNIQUES)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_what_is_no_yaml_is_named_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text("claims: [")
    with pytest.raises(StudyError, match=r"claims.yaml: not readable as YAML: .*$"):
        load(path, TECHNIQUES)
