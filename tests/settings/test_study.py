"""A wrong config gets one line that names the key and says what would be right."""

import copy
import json
import re
from pathlib import Path

import pytest
import yaml

from tocompress.errors import StudyError
from tocompress.models.registry import NETWORKS
from tocompress.settings.study import TEXTS, Study, load
from tocompress.settings.technique import Quantize
from tocompress.vocabulary.arithmetic import EVERY_INFERENCE, FLOAT, INTEGER, ONCE

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
        ("techniques.q8.activations", 7, "config: techniques.q8.activations: Input should be 8 or 'dynamic'"),
        ("techniques.q16.activations", 8, "config: techniques.q16: bits: 16, but kernels that compute in integers"),
        ("techniques.i8.granularity", "tensor", "config: techniques.i8: granularity: tensor, but kernels that compute"),
        ("techniques.i8.minimum_values", 9, "config: techniques.i8: minimum_values: 9, but kernels that compute in"),
        ("techniques.q8.type", "float", "config: techniques.q8: bits: 8, but floats (type: float) take 16"),
        ("techniques.f16.activations", 8, "config: techniques.f16: activations: floats (type: float) do not compute"),
        ("techniques.i8.range_quantile", 0.5, "config: techniques.i8.range_quantile: Input should be greater than 0.5"),
        ("techniques.dyn8.range_quantile", 0.9, "config: techniques.dyn8: range_quantile: only activations of 8 bits"),
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
        ("models.Vgg", {"network": "vgg_16"}, "config: models.Vgg: Input should be lower-case letters"),
        ("models.vgg_16.checkpoint.sha265", "", "models.vgg_16.checkpoint.sha265: unknown key; did you mean 'sha256'?"),
        ("models.vgg_16.build", "initial", "config: models.vgg_16: build 'initial' takes no checkpoint"),
        ("models.vgg_16.network", "vgg_17", "config: models.vgg_16.network: Input should be"),
        ("models.vgg_16.checkpoint.sha256", "abc", "config: models.vgg_16.checkpoint.sha256: Input should be 64 hex"),
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
        ("data.wmt", {**WMT, "languages": ["english", "de"]}, "config: data.wmt.languages.0: Input should be the two"),
        ("data.wmt", {**WMT, "codes": None}, "config: data.wmt: text 'raw' needs codes"),
        (
            "evaluation",
            {"prediction": {"shards": 9}},
            "evaluation.prediction.shards: Input should be less than",
        ),
        (
            "study.runtimes",
            ["tensorflow"],
            "config: study.variants: 'i8' of 'inception_v1': tensorflow computes in floats, and its activations have no"
            " integers; name a runtime in `study.runtimes` that can run it: litert",
        ),
        (
            "study.runtimes",
            ["litert"],
            "'q16' of 'inception_v1': litert holds integer weights of at most 8 bits; name a runtime in"
            " `study.runtimes` that can run it: tensorflow",
        ),
        ("study.runtimes", ["tflite"], "config: study.runtimes.0: Input should be 'tensorflow' or 'litert'"),
        ("study.runtimes", [], "config: study.runtimes: Input should have at least 1 entry"),
        ("techniques.f16.bits", 8, "config: techniques.f16: bits: 8, but floats (type: float) take 16"),
        ("devices.host.runtime", "tensorflow", "devices.host.runtime: unknown key; did you mean 'runtimes'?"),
        ("devices.host.processor", "gpu", "config: devices.host: processor: 'litert' runs on the processor 'cpu' only"),
        ("devices.host.interpreters", {"tflite": "python3"}, "config: devices.host.interpreters.tflite"),
        ("calibration", {"examples": 0}, "config: calibration.examples: Input should be greater than or equal to"),
        ("benchmark.batches", [8], "config: benchmark.batches: 1 is missing; latency is the time of one input"),
        ("benchmark.batches", [1, 8, 8], "config: benchmark.batches: "),
        ("benchmark.quantile", 0.9, "config: benchmark.quantile: Input should be less than or equal to 0.5"),
        ("benchmark.maximum_generations", 2, "config: benchmark: maximum_generations is 2, but generations "),
        ("benchmark.generations", "many", "config: benchmark.generations: Input should be a valid integer"),
    ],
)
def test_a_mistake_is_named_in_one_line(path: str, value: object, message: str) -> None:
    with pytest.raises(StudyError) as caught:
        load(changed(path, value))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_device_needs_a_runtime_of_the_study() -> None:
    config = changed("devices.host.runtimes", ["litert"])
    config["study"] |= {"runtimes": ["tensorflow"], "variants": {"default": ["q8"]}}
    with pytest.raises(
        StudyError, match=r"devices\.host\.runtimes: names none of `study.runtimes`, which is tensorflow"
    ):
        load(config)


@pytest.mark.parametrize(
    ("model", "variant", "refused_by"),
    [
        ("vgg_16", "fp32", ()),
        ("vgg_16", "p30", ()),
        ("vgg_16", "q8-p05", ()),
        ("vgg_16", "q16", ("litert",)),
        ("vgg_16", "f16", ("tensorflow",)),
        ("vgg_16", "i8", ("tensorflow",)),
        ("vgg_16", "p30-i8", ("tensorflow",)),
        ("gnmt", "q8", ()),
        ("gnmt", "dyn8", ("tensorflow",)),
        ("gnmt", "i8", ("tensorflow", "litert")),
    ],
)
def test_a_runtime_refuses_what_it_cannot_execute(model: str, variant: str, refused_by: tuple[str, ...]) -> None:
    """`i8` of a translation model is in the config all the same, so the study's table says why it has no values."""
    study = load(CONFIG)
    reasons = {runtime: study.refusal(runtime, model, variant) for runtime in ("tensorflow", "litert")}
    refusing = {runtime: reason for runtime, reason in reasons.items() if reason}
    assert tuple(refusing) == refused_by
    assert all(reason.startswith(runtime) and "\n" not in reason for runtime, reason in refusing.items())


@pytest.mark.parametrize(
    ("runtime", "variant", "arithmetics"),
    [
        ("tensorflow", "fp32", (FLOAT,)),
        ("tensorflow", "p30", (FLOAT,)),
        ("tensorflow", "q8", (EVERY_INFERENCE, ONCE)),
        ("tensorflow", "q8-p05", (EVERY_INFERENCE, ONCE)),
        ("litert", "fp32", (FLOAT,)),
        ("litert", "q8", (ONCE,)),
        ("litert", "f16", (ONCE,)),
        ("litert", "i8", (INTEGER,)),
        ("litert", "p30-i8", (INTEGER,)),
        ("litert", "dyn8", (INTEGER,)),
    ],
)
def test_a_variant_is_measured_in_each_arithmetic_of_its_runtime(
    runtime: str, variant: str, arithmetics: tuple[str, ...]
) -> None:
    assert load(CONFIG).arithmetics(runtime, variant) == arithmetics


def test_of_several_arithmetics_the_config_chooses_those_of_tensorflow() -> None:
    study = load(changed("benchmark.arithmetic", [ONCE]))
    assert study.arithmetics("tensorflow", "q8") == (ONCE,)
    assert study.arithmetics("litert", "i8") == (INTEGER,)


def test_kernels_that_compute_in_integers_are_on_one_grid_a_channel() -> None:
    technique = load(CONFIG).techniques["i8"]
    assert isinstance(technique, Quantize)
    assert (technique.granularity, technique.minimum_values) == ("channel", 1)
    written_out = load(changed("techniques.i8", technique.model_dump(mode="json")))
    assert written_out.techniques["i8"] == technique


def test_a_session_measures_the_runtimes_that_study_and_device_share_in_the_order_of_the_study() -> None:
    config = changed("study.runtimes", ["litert", "tensorflow"])
    config["study"]["devices"] = ["host", "tx2"]
    config["devices"]["tx2"]["runtimes"] = ["tensorflow"]
    study = load(config)
    assert study.runtimes_on("host") == ("litert", "tensorflow")
    assert study.runtimes_on("tx2") == ("tensorflow",)


def test_a_device_with_power_modes_is_measured_in_each_by_a_name_of_its_own() -> None:
    config = changed("devices.host.modes", ["15W", "MAXN"])
    config["study"]["devices"] = ["tx2", "host"]
    study = load(config)
    assert study.measured == ("tx2", "host@15W", "host@MAXN")
    assert study.device("host@15W") == study.device("host") == study.devices["host"]
    assert study.runtimes_on("host@15W") == study.runtimes_on("host")


def test_a_runtime_may_have_its_own_python() -> None:
    config = changed("devices.tx2.interpreters", {"litert": "~/tflite/bin/python"})
    device = load(config).devices["tx2"]
    assert device.interpreter_of("litert") == "~/tflite/bin/python"
    assert device.interpreter_of("tensorflow") == "python3"


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


def test_calibration_needs_a_set_whose_images_are_known() -> None:
    config = changed("data.photographs", {"kind": "imagenet", "images": "photographs", "labels": "labels.csv"})
    config["models"]["mobilenet_v1_full"]["data"] = "photographs"
    config["study"] |= {"models": ["mobilenet_v1_full"], "variants": {"mobilenet_v1_full": ["i8"]}}
    with pytest.raises(StudyError, match=r"'i8' .* needs calibration images, but 'data.photographs.training' names"):
        load(config)
    config["study"]["variants"] = {"mobilenet_v1_full": ["dyn8"]}
    load(config)


def test_statistics_are_recalibrated_where_a_training_folder_is_named() -> None:
    config = changed("data.pictures", {"kind": "folders", "test": "photos/test"})
    config["models"]["vgg_16"]["data"] = "pictures"
    config["techniques"]["p50"] |= {"criterion": "l1", "retrain": False, "statistics": "recalibrated"}
    config["study"] |= {"models": ["vgg_16"], "variants": {"vgg_16": ["p50"]}}
    with pytest.raises(StudyError, match=r"'p50' of 'vgg_16' needs a calibration set for 'statistics', but 'data.pict"):
        load(config)


@pytest.mark.parametrize(
    ("option", "key"),
    [
        ({"rounding": "learned", "range": "mse"}, "rounding"),
        ({"correction": "bias"}, "correction"),
        ({"statistics": "recalibrated"}, "statistics"),
        ({"bits": {"budget": 5}}, "bits"),
    ],
)
def test_options_of_quantization_that_learn_need_a_training_set(option: dict, key: str) -> None:
    config = changed("data.photographs", {"kind": "imagenet", "images": "photographs", "labels": "labels.csv"})
    config["models"]["mobilenet_v1_full"]["data"] = "photographs"
    config["study"] |= {"models": ["mobilenet_v1_full"], "variants": {"mobilenet_v1_full": ["q4"]}}
    config["techniques"]["q4"] = {"method": "quantize", "bits": 4, **option}
    said = rf"'q4' .* needs a calibration set for '{key}', but 'data.photographs.training' .*, or leave out '{key}'"
    with pytest.raises(StudyError, match=said):
        load(config)
    for other in ({"range": "mse"}, {"keep": ["first", "last"]}, {"bits": {"*": 4}}):
        load(config | {"techniques": config["techniques"] | {"q4": {"method": "quantize", "bits": 4, **other}}})


def test_mixed_bits_are_refused_by_a_runtime_that_lacks_the_most_of_them() -> None:
    config = changed("techniques.mixed", {"method": "quantize", "bits": {"*/weights": 9, "*": 4}})
    config["study"] |= {"models": ["vgg_16"], "variants": {"vgg_16": ["mixed"]}}
    study = load(config)
    assert study.refusal("litert", "vgg_16", "mixed") == "litert holds integer weights of at most 8 bits"
    assert study.refusal("tensorflow", "vgg_16", "mixed") is None
    config["study"]["runtimes"] = ["litert"]
    with pytest.raises(StudyError, match=r"'mixed' of 'vgg_16': litert holds integer weights of at most 8 bits; name"):
        load(config)
    config["techniques"]["mixed"]["bits"] = {"*/weights": 8, "*": 4}
    config["techniques"]["mean"] = {"method": "quantize", "bits": {"budget": 5}, "keep": ["first"]}
    config["study"]["variants"] = {"vgg_16": ["mixed", "mean"]}
    load(config)


def test_mixed_bits_keep_their_order_in_the_settings_of_a_job() -> None:
    mixed = Quantize(method="quantize", bits={"net/last": 8, "net/*": 3, "*": 4})
    read = Quantize.model_validate_json(mixed.canonical())
    assert list(read.bits.items()) == [("net/last", 8), ("net/*", 3), ("*", 4)]
    assert (mixed.most_bits, mixed.uniform_bits, mixed.options_in_words) == (8, None, "mixed bits")


def test_options_are_told_in_words() -> None:
    plain = Quantize(method="quantize", bits=8, granularity="channel", minimum_values=1)
    assert (plain.options_in_words, plain.on_data) == (None, False)
    options = {"range": "mse", "rounding": "learned", "correction": "bias", "keep": ("first", "*/fc*")}
    assert Quantize(method="quantize", bits=4, **options).options_in_words == (
        "range mse, rounding learned, correction bias, keep first */fc*"
    )
    assert Quantize(method="quantize", bits={"budget": 4.5}).options_in_words == "4.5 bits on average"


def test_pictures_in_folders_are_learned_from_where_a_training_folder_is_named() -> None:
    config = changed("data.pictures", {"kind": "folders", "test": "photos/test"})
    config["models"]["vgg_16"]["data"] = "pictures"
    config["study"] |= {"models": ["vgg_16"], "variants": {"vgg_16": ["p50"]}}
    config["retraining"]["vgg_16"]["examples"] = 100_000
    with pytest.raises(StudyError, match=r"'p50' of 'vgg_16' .*, but 'data.pictures.train' names no training"):
        load(config)
    config["data"]["pictures"] |= {"train": "photos", "test": 0.2}
    load(config)


@pytest.mark.parametrize(
    ("technique", "message"),
    [
        ({"criterion": "taylor", "retrain": False}, "'p50' of 'gnmt' ranks by 'taylor', but 'data.wmt.training' names"),
        (
            {"criterion": "l1", "statistics": "recalibrated"},
            "'p50' of 'gnmt' recalibrates batch norm, but gnmt has none;",
        ),
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


def test_every_pattern_of_a_text_is_told_in_words() -> None:
    schema = json.dumps(Study.model_json_schema())
    patterns = {json.loads(pattern) for pattern in re.findall(r'"pattern": ("[^"]*")', schema)}
    assert patterns and patterns <= TEXTS.keys()
