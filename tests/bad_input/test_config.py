"""A config that is wrong ends the run before anything is done, with one line that names the key and what is right."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from cases import EARLIER, REPOSITORY, contents

from tocompress.data.glyphs import CLASSES
from tocompress.plan import plan
from tocompress.settings.data import Glyphs
from tocompress.vocabulary.arithmetic import ONCE

CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
ABSENT = object()
NAN, INFINITY = float("nan"), float("inf")

MAPPING, LIST = "Input should be a mapping", "Input should be a list"
CHAIN = "a variant is 'fp32', or techniques with '-' between them, as in 'q8-p05'"
HOST = "devices.tx2.host: an alias of ~/.ssh/config, or user@address, is needed"
PATH = "a path from the home folder or from / is needed, without '..'"
FOLDERS = {"kind": "folders", "train": "a", "test": "b"}
OWN = {"network": "keras", "file": "model.keras", "data": "glyphs"}
SEARCH = {
    "device": "host",
    "runtime": "litert",
    "requirements": {"size": {"at most": "4 MB"}},
    "space": {"bits": [8]},
    "budget": 60,
}
PATTERN = "Input should be lower-case letters, digits and _, with a letter first"

CASES: list[tuple[str, Any, str]] = [
    # Sections
    ("study", ABSENT, "study: Field required"),
    ("study", None, f"study: {MAPPING} (it is None)"),
    ("models", [], f"models: {MAPPING}"),
    ("models", {}, "study.models: 'inception_v1' is not defined; there is none"),
    ("plot", None, f"plot: {MAPPING} (it is None)"),
    ("models.vgg_16", None, f"models.vgg_16: {MAPPING} (it is None)"),
    ("techniques.q8", "q8", f"techniques.q8: {MAPPING} (it is 'q8')"),
    ("evalutaion", {}, "evalutaion: unknown key; did you mean 'evaluation'?"),
    # The selection
    ("study.name", "../x", f"study.name: {PATTERN} (it is '../x')"),
    ("study.name", "a.b", f"study.name: {PATTERN} (it is 'a.b')"),
    ("study.name", "a b", f"study.name: {PATTERN} (it is 'a b')"),
    ("study.name", "étude", f"study.name: {PATTERN} (it is 'étude')"),
    ("study.name", "a\n", f"study.name: {PATTERN} (it is 'a\\n')"),
    ("study.name", "a" * 300, "study.name: String should have at most 64 characters"),
    ("study.name", 3, "study.name: Input should be a text; quotes make one of a number (it is 3)"),
    ("study.models", [], "study.models: Input should have at least 1 entry"),
    ("study.models", "vgg_16", f"study.models: {LIST} (it is 'vgg_16')"),
    ("study.models", ["gnmt", "gnmt"], "study.models: 'gnmt' is given twice; name each once"),
    ("study.devices", ["host", "host"], "study.devices: 'host' is given twice; name each once"),
    ("study.figures", ["pareto", "paretto"], "study.figures: 'paretto' is not defined; did you mean 'pareto'?"),
    ("study.variants", ["q8"], f"study.variants: {MAPPING}"),
    ("study.variants.default", "q8", f"study.variants.default: {LIST} (it is 'q8')"),
    ("study.variants.vgg61", ["q8"], "study.variants: 'vgg61' is not defined; did you mean"),
    # Variants
    ("study.variants.default", ["q8-"], f"study.variants: 'q8-' of 'inception_v1': {CHAIN}"),
    ("study.variants.default", ["-q8"], f"study.variants: '-q8' of 'inception_v1': {CHAIN}"),
    ("study.variants.default", ["q8--p05"], f"study.variants: 'q8--p05' of 'inception_v1': {CHAIN}"),
    ("study.variants.default", [""], f"study.variants: '' of 'inception_v1': {CHAIN}"),
    ("study.variants.default", ["fp32-q8"], f"study.variants: 'fp32-q8' of 'inception_v1': {CHAIN}"),
    ("study.variants.default", ["../q8"], "study.variants: '../q8' of 'inception_v1': '../q8' is not defined; there"),
    ("study.variants.default", ["q8\nq6"], "study.variants: 'q8 q6' of 'inception_v1': 'q8 q6' is not defined; there"),
    ("study.variants.default", ["p05-q8-q6"], "study.variants: 'p05-q8-q6' of 'inception_v1' applies the same m"),
    # Techniques
    ("techniques.fp32", {"method": "quantize", "bits": 8}, "techniques: 'fp32' is the uncompressed model; give"),
    ("techniques.q8-x", {"method": "quantize", "bits": 8}, f"techniques.q8-x: {PATTERN}"),
    ("techniques.q8", {"bits": 8}, "techniques.q8.method: Field required"),
    ("techniques.q8.method", "quantise", "techniques.q8.method: Input should be one of 'quantize', 'prune' (it is"),
    ("techniques.q17", {"method": "quantize", "bits": 17}, "techniques.q17.bits: Input should be less than or equal"),
    ("techniques.q8.bits", 7.5, "techniques.q8.bits: Input should be a valid integer"),
    ("techniques.q8.bits", [4], "techniques.q8.bits: Input should be a valid integer"),
    ("techniques.q8.bits", {}, "techniques.q8: bits: is empty; name patterns of tensors, such as '*': 4"),
    ("techniques.q8.bits", {"*": 99}, "techniques.q8.bits.*: Input should be less than or equal to 16 (it is 99)"),
    ("techniques.q8.bits", {"budget": 9}, "techniques.q8.bits.budget: Input should be less than or equal to 8 (it is"),
    ("techniques.q8.bits", {"budget": 5, "*": 4}, "techniques.q8.bits.*: unknown key; there is 'budget'"),
    (
        "techniques.q8.bits",
        {"budget": 5},
        "study.variants: 'q8' of 'mobilenet_v1_full' distributes bits by accuracy, and initial weights have none; give",
    ),
    ("techniques.q8.keep", ["first", "first"], "techniques.q8.keep: 'first' is given twice; name each once"),
    ("techniques.q8.keep", "first", f"techniques.q8.keep: {LIST} (it is 'first')"),
    ("techniques.q8.range", "max", "techniques.q8.range: Input should be 'minmax', 'mse' or 'percentile' (it is 'max"),
    (
        "techniques.q8.range",
        "mse",
        "study.variants: 'q8-p05' of 'resnet_v1_50': retraining puts weights on the nearest levels of grids from"
        " minimum to maximum, which undoes 'range'; prune first",
    ),
    ("techniques.f16.range", "mse", "techniques.f16: range: floats (type: float) have no grid; leave it out"),
    ("techniques.f16.correction", "bias", "techniques.f16: correction: floats (type: float) have no grid; leave it"),
    ("techniques.p50.share", 1, "techniques.p50.share: Input should be less than 1 (it is 1)"),
    ("techniques.p50.share", NAN, "techniques.p50.share: Input should be a finite number (it is nan)"),
    # Numbers
    ("benchmark.level", 95, "benchmark.level: Input should be less than 1 (it is 95)"),
    ("benchmark.target", NAN, "benchmark.target: Input should be a finite number (it is nan)"),
    ("benchmark.maximum_seconds", INFINITY, "benchmark.maximum_seconds: Input should be a finite number (it is inf)"),
    ("benchmark.maximum_generations", 3, "benchmark: maximum_generations is 3, but generations 4"),
    ("benchmark.batches", [8], "benchmark.batches: 1 is missing; latency is the time of one input"),
    (
        "benchmark.arithmetic",
        [ONCE, ONCE],
        "benchmark.arithmetic: 'float, dequantized once' is given twice; name each once",
    ),
    ("models.vgg_16.width", 0, "models.vgg_16.width: Input should be greater than 0 (it is 0)"),
    ("models.vgg_16.input_size", 31, "models.vgg_16.input_size: Input should be greater than or equal to 32"),
    ("retraining.vgg_16.weight_decay", INFINITY, "retraining.vgg_16.weight_decay: Input should be a finite number"),
    # Models and their data
    ("models.default", CONFIG["models"]["vgg_16"], "models: 'default' stands for all others in `study.variants`"),
    ("models.mine", OWN, "models.mine.data: 'glyphs' does not say how pictures become the input of a model of one's"),
    ("models.mine", OWN | {"data": "number_phrases"}, "models.mine.data: keras takes no examples of the kind"),
    ("models.mine", OWN | {"file": ""}, "models.mine.file: is empty; name a .keras or .h5 file, or the folder of a"),
    ("models.mine", OWN | {"classes": 5}, "models.mine.classes: unknown key"),
    ("models.mine", OWN | {"build": "zoo"}, "models.mine.build: Input should be 'own' (it is 'zoo')"),
    ("models.vgg_16.classes", 10, "models.vgg_16.classes: 10, but 'data.glyphs' has 100"),
    ("data.glyphs.kind", "glyph", "data.glyphs.kind: Input should be one of 'glyphs', 'number_phrases', 'imagenet'"),
    ("data.number_phrases.codes", "", "data.number_phrases.codes: is empty; name a file"),
    ("data.number_phrases.codes", "no/such", "data.number_phrases.codes: there is no file 'no/such'; name an existing"),
    ("data.mine", FOLDERS | {"test": None}, "data.mine.test: is missing; name a folder or a CSV of test pictures, or"),
    ("data.mine", FOLDERS | {"train": ""}, "data.mine.train: is empty; name a file"),
    (
        "data.mine",
        FOLDERS | {"test": 1.5},
        "data.mine.test: a folder, a CSV, or a share between 0 and 1 is needed",
    ),
    (
        "data.mine",
        FOLDERS | {"test": 0.2, "train": None},
        "data.mine.test: a share of 'data.mine.train', which",
    ),
    ("data.mine", FOLDERS | {"classes": ["a"]}, "data.mine.classes: names 1 of them; at least two are needed"),
    ("data.mine", FOLDERS | {"classes": ["a", "a"]}, "data.mine.classes: 'a' is given twice; name each class once"),
    ("data.mine", FOLDERS | {"classes": [0, 1]}, "data.mine.classes: a list of names, with numbers in quotes, or a te"),
    ("data.mine", FOLDERS | {"calibration": 100}, "data.mine.calibration: Input should be less than 1 (it is 100)"),
    ("data.mine", FOLDERS | {"preprocessing": {}}, "data.mine.preprocessing.scale: Field required"),
    (
        "data.mine",
        FOLDERS | {"preprocessing": {"scale": [1, 1]}},
        "data.mine.preprocessing: scale: makes every pic",
    ),
    (
        "data.mine",
        FOLDERS | {"preprocessing": {"scale": [0, 1], "mean": [1, 2]}},
        "data.mine.preprocessing: mean: 2 numbers, but pictures have 1 channel or 3; give one for each",
    ),
    (
        "data.mine",
        FOLDERS | {"preprocessing": {"scale": [0, 1], "resize": "fit"}},
        "data.mine.preprocessing.resize: Input should be 'crop', 'stretch' or 'pad' (it is 'fit')",
    ),
    # Searches
    ("search", {"vgg_61": SEARCH}, "search: 'vgg_61' is not defined; did you mean"),
    ("search", {"vgg_16": None}, f"search.vgg_16: {MAPPING} (it is None)"),
    ("search", {"vgg_16": SEARCH | {"budget": "soon"}}, "search.vgg_16.budget: a time such as '20 minutes', '90 s' or"),
    (
        "search",
        {"vgg_16": SEARCH | {"requirements": {"latency": {"at most": "4 MB"}}}},
        "search.vgg_16.requirements: latency.at most: '4 MB' is no such quantity; a number with one of the units ms, s",
    ),
    (
        "search",
        {"vgg_16": SEARCH | {"requirements": {"latency": {"at msot": 4}}}},
        "search.vgg_16.requirements.latency.at msot: unknown key; did you mean 'at most'?",
    ),
    # Files from elsewhere
    ("models.vgg_16.checkpoint", "", "models.vgg_16.checkpoint: is empty; name a file"),
    ("models.vgg_16.checkpoint", "file:///nowhere", "models.vgg_16.checkpoint: there is no file, folder or checkpoint"),
    ("models.vgg_16.checkpoint", "https:///x", "models.vgg_16.checkpoint: 'https:///x' names no server; https://serv"),
    ("models.vgg_16.checkpoint", "ftp://server/x", "models.vgg_16.checkpoint: 'ftp:' is no address that can be fetche"),
    ("models.vgg_16.checkpoint", "https://[server/x", "models.vgg_16.checkpoint: Invalid IPv6 URL"),
    ("models.vgg_16.checkpoint", "a\0b", "models.vgg_16.checkpoint: an address of printable characters is needed"),
    ("models.vgg_16.checkpoint.sha256", "ab", "models.vgg_16.checkpoint.sha256: Input should be 64 hexadecimal digits"),
    # Devices
    ("devices.host.transport", "telnet", "devices.host.transport: Input should be one of 'local', 'ssh' (it is 'tel"),
    ("devices.host", {"threads": 2}, "devices.host.transport: Field required"),
    ("devices.host.threads", 0, "devices.host.threads: Input should be greater than or equal to 1 (it is 0)"),
    ("devices.tx2.host", "-oProxyCommand=id", HOST),
    ("devices.tx2.host", "tx2;id", HOST),
    ("devices.tx2.host", "user@-F", HOST),
    ("devices.tx2.host", "$(id)", HOST),
    ("devices.tx2.folder", "../x", f"devices.tx2.folder: {PATH} (it is '../x')"),
    ("devices.tx2.folder", "~", f"devices.tx2.folder: {PATH}"),
    ("devices.tx2.folder", "~root/x", f"devices.tx2.folder: {PATH}"),
    ("devices.tx2.folder", "/", f"devices.tx2.folder: {PATH}"),
    ("devices.tx2.folder", "a\nb", f"devices.tx2.folder: {PATH} (it is 'a\\nb')"),
    ("devices.tx2.interpreter", "-c", f"devices.tx2.interpreter: {PATH}"),
    ("devices.host.modes", ["15W", "15W"], "devices.host.modes: '15W' is given twice; name each once"),
    ("devices.host.modes", ["../15W"], "devices.host.modes.0: Input should be letters, digits and the signs . _ -"),
    (
        "devices.host.modes",
        [15],
        "devices.host.modes.0: Input should be a text; quotes make one of a number (it is 15)",
    ),
    ("devices.host.partition", "", "devices.host.partition: Input should be letters, digits and the signs . _ -"),
    ("devices.tx2.modes", ["15W"], "devices.tx2: clocks: 'locked', but a change of the power mode in `modes` unlocks"),
    ("devices.host.runtimes", [], "devices.host.runtimes: Input should have at least 1 entry"),
    ("devices.host.runtimes", "litert", f"devices.host.runtimes: {LIST} (it is 'litert')"),
    ("devices.host.runtimes", ["litert", "litert"], "devices.host.runtimes: 'litert' is given twice; name each once"),
    ("devices.host.interpreters", ["python"], f"devices.host.interpreters: {MAPPING}"),
    ("devices.tx2.interpreters", {"litert": "-c"}, f"devices.tx2.interpreters.litert: {PATH} (it is '-c')"),
    ("devices.tx2.root", "board", "devices.tx2.root: Input should be a path that begins with / (it is 'board')"),
]


def changed(path: str, value: object) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    *steps, last = path.split(".")
    section = config
    for step in steps:
        section = section[step]
    if value is ABSENT:
        del section[last]
    else:
        section[last] = value
    return config


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


@pytest.mark.parametrize(("path", "value", "message"), CASES)
def test_a_wrong_config_is_refused_in_one_line(
    path: str, value: object, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = changed(path, value)
    with pytest.raises(SystemExit) as end:
        plan(config)
    said = capsys.readouterr()
    assert end.value.code == 1
    assert said.out == ""
    assert said.err.startswith(f"Error: config: {message}")
    assert said.err.count("\n") == 1 and said.err.endswith("\n")


@pytest.mark.parametrize("key", ["url", "mirrors"])
def test_a_password_in_an_address_is_refused_and_not_repeated(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    address = "https://user:secret@server/x"
    checkpoint = {"url": address} if key == "url" else {"url": "https://server/x", "mirrors": [address]}
    with pytest.raises(SystemExit):
        plan(changed("models.vgg_16.checkpoint", checkpoint))
    said = capsys.readouterr().err
    assert said.startswith("Error: config: models.vgg_16.checkpoint: an address with a user or a password in it")
    assert "secret" not in said


@pytest.mark.parametrize(
    ("section", "key", "nested"),
    [
        (None, "retraining.vgg_16", "retraining: {vgg_16: ...}"),
        (None, "evaluation.prediction.shards", "evaluation: {prediction: {shards: ...}}"),
        (None, "study.devices", "study: {devices: ...}"),
        ("study", "variants.default", "study: {variants: {default: ...}}"),
        ("devices", "host.meter", "devices: {host: {meter: ...}}"),
        ("retraining", "vgg_16.epochs", "retraining: {vgg_16: {epochs: ...}}"),
    ],
)
def test_keys_with_dots_are_to_be_nested(
    section: str | None, key: str, nested: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = copy.deepcopy(CONFIG)
    (config[section] if section else config)[key] = 8
    with pytest.raises(SystemExit):
        plan(config)
    where = f"{section}.{key}" if section else key
    assert capsys.readouterr().err == f"Error: config: {where}: a key holds no dot; write it nested: {nested}\n"


def test_one_file_of_a_checkpoint_is_all_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, index = files = [tmp_path / name for name in ("m.ckpt-2.data-00000-of-00001", "m.ckpt-2.index")]
    config = changed("models.vgg_16.build", "own")
    config["models"]["vgg_16"]["checkpoint"] = str(data)
    data.touch()
    with pytest.raises(SystemExit):
        plan(config)
    said = capsys.readouterr().err
    assert said.startswith(
        f"Error: config: models.vgg_16.checkpoint: {tmp_path}/m.ckpt-2: of its files, 'm.ckpt-2.index'"
    )
    index.touch()
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "m.ckpt-2"')
    for given in ("m.ckpt-2", "checkpoint", *(file.name for file in files)):
        config["models"]["vgg_16"]["checkpoint"] = str(tmp_path / given)
        assert plan(config).unchecked_checkpoint(SimpleNamespace(model="vgg_16")) == [str(file) for file in files]


def test_what_ssh_takes_is_accepted() -> None:
    for host in ("tx2", "user@192.168.1.5", "nvidia@tegra-ubuntu.local", "u@fe80::1%eth0"):
        plan(changed("devices.tx2.host", host))
    for folder in ("/mnt/card/study", "~/study", "a b/ü"):
        plan(changed("devices.tx2.folder", folder))


def test_the_settings_know_how_many_glyphs_there_are() -> None:
    assert Glyphs.classes == len(CLASSES)


@pytest.mark.parametrize("text", ["plot: {dpi: 100, dpi: 200}\n", "models:\n  a: {b: 1}\n  c: [x]\n  a: {}\n"])
def test_a_key_that_stands_twice_is_refused(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "overlay.yaml").write_text(text)
    with pytest.raises(SystemExit):
        plan(CONFIG, [tmp_path / "overlay.yaml"])
    said = capsys.readouterr().err
    assert said.startswith(f"Error: {tmp_path / 'overlay.yaml'}, line ")
    assert said.endswith("as well; keep one of the two\n")


@pytest.mark.parametrize(
    ("arguments", "overlay", "line"),
    [
        ([], b"sutdy: {}\n", "Error: config: sutdy: unknown key; did you mean 'study'?"),
        ([], b"plot: {dpi: 100}\nplot: {dpi: 200}\n", "overlay.yaml, line 2: 'plot' stands in line 1 as well"),
        ([], b"plot:\n\tdpi: 100\n", "Config file is not valid JSON or YAML."),
        ([], b"", "Config file must be given as JSON or YAML with keys at top level."),
        (["--config", "study=x"], b"plot: {dpi: 100}\n", "Error: config: study: Input should be a mapping (it is 'x')"),
    ],
    ids=["a misspelt key", "a key twice", "tabs", "an empty file", "on the command line"],
)
def test_a_person_sees_what_is_wrong_and_finds_all_as_it_was(
    arguments: list[str], overlay: bytes, line: str, tmp_path: Path
) -> None:
    for name in ("Snakefile", "config.yaml", "config", "zoo", "workflow", "rules"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    (tmp_path / "overlay.yaml").write_bytes(overlay)
    (tmp_path / "results/default").mkdir(parents=True)
    (tmp_path / "results/default/study.parquet").write_bytes(EARLIER)
    before = contents(tmp_path / "results")
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "overlay.yaml", *arguments]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, env=os.environ)
    said = [text for text in run.stderr.splitlines() if text and not text.startswith(("Using ", "Config file config."))]
    assert run.returncode == 1
    assert line in said[-1], run.stderr
    assert said[:-1] in ([], ["WorkflowError:"]), run.stderr
    assert run.stdout == ""
    assert contents(tmp_path / "results") == before
