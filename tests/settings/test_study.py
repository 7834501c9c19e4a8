"""A wrong config gets one line that names the key and says what would be right."""

import copy
from pathlib import Path

import pytest
import yaml

from tocompress.errors import StudyError
from tocompress.models.registry import NETWORKS
from tocompress.settings.study import load

REPOSITORY = Path(__file__).parents[2]
CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text())


WMT = {
    "kind": "wmt",
    "source": "newstest2014-deen-src.en.sgm",
    "reference": "newstest2014-deen-ref.de.sgm",
    "codes": "bpe.32000",
    "source_vocabulary": "vocab.bpe.32000.en",
    "target_vocabulary": "vocab.bpe.32000.de",
}


def changed(path: str, value: object) -> dict:
    config = copy.deepcopy(CONFIG)
    *steps, last = path.split(".")
    section = config
    for step in steps:
        section = section[step]
    section[last] = value
    return config


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("plto", {}, "config: plto: unknown key; did you mean 'plot'?"),
        ("plot.dqi", 100, "config: plot.dqi: unknown key; did you mean 'dpi'?"),
        ("models.vgg_16.wdith", 1, "config: models.vgg_16.wdith: unknown key; did you mean 'width'?"),
        ("models.gnmt.beam_widht", 1, "config: models.gnmt.beam_widht: unknown key; did you mean 'beam_width'?"),
        ("techniques.q8.bit", 8, "config: techniques.q8.bit: unknown key; did you mean 'bits'?"),
        ("data.glyphs.tset", 8, "config: data.glyphs.tset: unknown key; did you mean 'test'?"),
        ("techniques.q8.bits", 0, "config: techniques.q8.bits: Input should be greater than or equal to 2 (it is 0)"),
        ("study.models", ["vgg16"], "config: study.models: 'vgg16' is not defined; did you mean 'vgg_16'?"),
        ("study.devices", ["tx1"], "config: study.devices: 'tx1' is not defined; did you mean 'tx2'?"),
        ("study.benchmarked", ["vgg16"], "config: study.benchmarked: 'vgg16' is not defined; did you mean 'vgg_16'?"),
        ("study.figures", ["fig13_quant"], "config: study.figures: 'fig13_quant' is not defined; did you mean 'fig13_"),
        ("study.variants.default", ["q7"], "study.variants: 'q7' of 'inception_v1': 'q7' is not defined"),
        ("study.variants.default", ["q8-q6"], "applies the same method twice"),
        ("study.variants.default", ["p05-p50"], "applies the same method twice"),
        ("study.variants.default", ["p5"], "study.variants: 'p5' of 'inception_v1': 'p5' is not defined"),
        ("study.variants.default", ["p05"], "'p05' of 'inception_v1' is retrained, but 'retraining' does not say how"),
        (
            "study.variants.resnet_v1_50_full",
            ["p00"],
            "'p00' of 'resnet_v1_50_full' only retrains, and initial weights",
        ),
        ("study.variants.resnet_v1_50_full", ["p50"], "'p50' of 'resnet_v1_50_full' ranks initial weights by 'taylor'"),
        (
            "techniques.p50.share",
            -1,
            "config: techniques.p50.share: Input should be greater than or equal to 0 (it is -1)",
        ),
        ("techniques.p00.retrain", False, "config: techniques.p00: share: 0 without retraining changes nothing"),
        ("techniques.p50.share", 100, "config: techniques.p50.share: Input should be less than 1 (it is 100)"),
        ("techniques.p50.criterion", "l3", "config: techniques.p50.criterion: Input should be 'l1', 'l2'"),
        ("retraining.vgg_61", {"epochs": 1, "learning_rates": [1]}, "config: retraining: 'vgg_61' is not defined"),
        ("retraining.vgg_16.examples", 50000, "retraining.vgg_16.examples: 50000, but 'data.glyphs.train' is 4000"),
        ("study.variants", {"vgg_16": ["q8"]}, "names no variants for 'inception_v1' and no 'default'"),
        ("models.vgg_16.data", "imagenet", "config: models.vgg_16.data: 'imagenet' is not defined; there is 'glyphs'"),
        ("models.vgg_16.data", "number_phrases", "models.vgg_16.data: vgg_16 takes no examples of the kind"),
        ("models.Vgg", {"network": "vgg_16"}, "config: models.Vgg: String should match pattern"),
        ("models.vgg_16.checkpoint.sha265", "", "models.vgg_16.checkpoint.sha265: unknown key; did you mean 'sha256'?"),
        ("models.vgg_16.build", "initial", "config: models.vgg_16: build 'initial' takes no checkpoint"),
        ("models.vgg_16.network", "vgg_17", "config: models.vgg_16.network: Input should be"),
        ("models.vgg_16.checkpoint.sha256", "abc", "config: models.vgg_16.checkpoint.sha256: String should match"),
        ("models.gnmt", {"network": "gnmt", "build": "initial", "data": "number_phrases"}, "models.gnmt.source_vocab"),
        ("data.glyphs", {"kind": "imagenet", "images": "i"}, "models.inception_v1.classes: 100, but ImageNet has 1000"),
        ("data.number_phrases.kind", "wmt", "config: data.number_phrases.source: Field required"),
        (
            "data.wmt",
            {**WMT, "text": "subwords"},
            "config: data.wmt: text 'subwords' takes no .sgm, no .xml and no codes",
        ),
        (
            "data.wmt",
            {**WMT, "md5": {"vocab": "0" * 32}},
            "config: data.wmt: md5: 'vocab' is none of the files; there is",
        ),
        ("data.wmt", {**WMT, "languages": ["english", "de"]}, "config: data.wmt.languages.0: String should match"),
        ("data.wmt", {**WMT, "codes": None}, "config: data.wmt: text 'raw' needs codes"),
        (
            "evaluation",
            {"prediction": {"shards": 9}},
            "evaluation.prediction.shards: Input should be less than",
        ),
        ("benchmark.processes", "many", "config: benchmark.processes: Input should be a valid integer"),
    ],
)
def test_a_mistake_is_named_in_one_line(path: str, value: object, message: str) -> None:
    with pytest.raises(StudyError) as caught:
        load(changed(path, value))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_technique_may_have_any_name() -> None:
    config = changed("techniques.half", {"method": "prune", "share": 0.5, "retrain": False})
    config["techniques"]["p8"] = {"method": "quantize", "bits": 8}
    config["study"]["variants"] = {"default": ["half", "p8-half"]}
    assert load(config).pruned_parent("p8-half") == "p8-half"


def test_the_baseline_comes_first_and_once() -> None:
    study = load(changed("study.variants", {"default": ["q8", "fp32"], "vgg_16": ["q6"]}))
    assert study.variants("gnmt") == ("fp32", "q8")
    assert study.variants("vgg_16") == ("fp32", "q6")


def test_variants_of_a_model_that_is_not_selected_are_no_mistake() -> None:
    config = changed("study.variants", {"default": ["q8"], "vgg_16": ["q6"]})
    config["study"]["models"] = ["gnmt"]  # as an overlay does, which can select fewer models but not remove a key
    assert load(config).variants("gnmt") == ("fp32", "q8")


def test_a_benchmarked_model_that_is_not_selected_is_no_mistake() -> None:
    config = changed("study.benchmarked", ["vgg_16", "gnmt"])
    config["study"]["models"] = ["mobilenet_v1", "gnmt"]
    assert load(config).benchmarked == ("gnmt",)


def test_without_devices_nothing_is_benchmarked() -> None:
    assert load(changed("study.devices", [])).benchmarked == ()


def test_only_models_with_trained_weights_are_judged_by_accuracy() -> None:
    assert load(CONFIG).trained == tuple(NETWORKS)


@pytest.mark.parametrize(
    ("technique", "message"),
    [
        ({"criterion": "taylor", "retrain": False}, "'p50' of 'gnmt' ranks by 'taylor', but 'data.wmt.training' names"),
        ({"criterion": "l1"}, "'p50' of 'gnmt' is retrained, but 'data.wmt.training' names no training set; name it,"),
    ],
)
def test_what_needs_a_training_set_says_so(technique: dict, message: str) -> None:
    config = changed("data.wmt", WMT)
    config["models"]["gnmt"]["data"] = "wmt"
    config["techniques"]["p50"] = {"method": "prune", "share": 0.5, **technique}
    config["study"] |= {"models": ["gnmt"], "variants": {"gnmt": ["p50"]}}
    with pytest.raises(StudyError, match=message):
        load(config)
