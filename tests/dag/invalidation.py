"""What a change makes due: every key of the config and every file of the library is changed, and a dry run asked.

make invalidation

writes docs/invalidation.md anew, which a test compares with what holds now.
"""

from __future__ import annotations

import copy
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml
from dry_runs import REPOSITORY, Workflow, can_be_edited, with_imagenet
from pydantic import BaseModel

from tocompress.errors import StudyError
from tocompress.paths import Paths
from tocompress.plan import base
from tocompress.provenance import digests
from tocompress.provenance.source import parse
from tocompress.settings.study import Study, load

PAGE = REPOSITORY / "docs/invalidation.md"
STUDY = Path(__file__).with_name("study.yaml")
#: Rules that the study has no job of. `predict` is `predict_shard` where a test set is one job.
ON_REQUEST = {"check_device", "check_model", "clean_devices", "package", "verify"}
WITHOUT_JOB = {*ON_REQUEST, "predict"}
#: One of each program.
BUNDLES = (("litert", "zoo_network", "i8"), ("litert", "own_network", "p50"), ("tensorflow", "zoo_translator", "q8"))
#: What says how a study was configured, and targets.
SHOWN = {"report", "all"}

Path_ = tuple[str, ...]
Due = frozenset[str]
Code = tuple[str, ...]

_OWN = {"build": "own", "classes": 1000, "data": "glyphs", "checkpoint": {"url": "zoo/vgg_19.tar.gz"}}
#: Another value of a key, or another entry with it, where none can be guessed.
OTHERS: dict[str, Any] = {
    "study.trial": "another",
    "study.variants": {"default": ["q8"], "initial_network": ["p50_l1"]},
    "study.runtimes": ["litert", "tensorflow"],
    "study.benchmarked": ["zoo_network"],
    "models.zoo_network.data": "imagenet",
    "models.zoo_network.checkpoint.url": "zoo/vgg_16.tar.gz",
    "models.published_network.data": "glyphs",
    "models.own_network.network": {"network": "vgg_19", "input_size": 32, **_OWN},
    "models.own_network.file": "other.keras",
    "models.initial_network.build": {"network": "mobilenet_v1", "input_size": 224, **_OWN},
    "models.initial_network.data": "imagenet",
    "models.zoo_translator.network": {"network": "vgg_19", "input_size": 32, **_OWN},
    "models.zoo_translator.data": "newstest",
    "models.zoo_translator.checkpoint.url": "zoo/vgg_16.tar.gz",
    "models.published_translator.network": {"network": "vgg_19", "input_size": 32, **_OWN},
    "models.published_translator.data": "number_phrases",
    "models.published_translator.source_vocabulary": 400,
    "models.published_translator.target_vocabulary": 400,
    "techniques.i8.type": {"method": "quantize", "bits": 16, "type": "float"},
    "techniques.i8.activations": {"method": "quantize", "bits": 8, "activations": "dynamic"},
    "techniques.i8.granularity": {"method": "quantize", "bits": 8, "granularity": "tensor"},
    "techniques.i8.minimum_values": {"method": "quantize", "bits": 8, "granularity": "channel", "minimum_values": 2},
    "benchmark.batches": [1, 8],
    "devices.here.processor": {"transport": "local", "threads": 2, "processor": "gpu"},
    "devices.board.runtimes": ["tensorflow", "litert"],
    "devices.here.interpreters": {"litert": "other"},
    "devices.board.interpreters": {"tensorflow": "other"},
    "devices.here.root": "/other",
    "devices.board.root": "/other",
    "devices.here.transport": {"transport": "ssh", "host": "here", "threads": 2},
    "devices.board.transport": {"transport": "local", "threads": 4},
    "data.glyphs.kind": {"kind": "imagenet", "images": "imagenet/other", "training": "imagenet/other"},
    "data.imagenet.kind": {"kind": "glyphs"},
    "data.imagenet.images": "imagenet/other",
    "data.imagenet.labels": "imagenet/other",
    "data.imagenet.training": "imagenet/other",
    "data.pictures.train": "pictures/other",
    "data.pictures.test": "pictures/other",
    "data.pictures.classes": ["tulip", "rose"],
    "data.pictures.unreadable": 0.5,
    "data.pictures.preprocessing.scale": [0, 1],
    "data.pictures.preprocessing.mean": [1, 2, 3],
    "data.pictures.preprocessing.deviation": [1, 2, 3],
    "data.number_phrases.kind": {
        "kind": "wmt", "source": "other/train.en", "reference": "other/train.de", "codes": "other/codes.bpe",
        "source_vocabulary": "other/vocabulary.en", "target_vocabulary": "other/vocabulary.de",
        "training": ["other/train.en", "other/train.de"],
    },
    "data.number_phrases.codes": "other/codes.bpe",
    "data.number_phrases.source_vocabulary": "other/vocabulary.en",
    "data.number_phrases.target_vocabulary": "other/vocabulary.de",
    "data.newstest.kind": {
        "kind": "number_phrases", "codes": "other/codes.bpe",
        "source_vocabulary": "other/vocabulary.en", "target_vocabulary": "other/vocabulary.de",
    },
    "data.newstest.source": "other/newstest.en",
    "data.newstest.languages": ["en", "fr"],
    "data.newstest.md5": {},
    "data.newstest.training": ["other/train.en", "other/train.de"],
    "search.zoo_network.device": "board@15W",
    "search.zoo_network.requirements.top1.at_least": {"at_least": 50},
    "search.zoo_network.space.bits": [4],
}  # fmt: skip

#: Keys that have one valid value, and why. Here and below names are patterns.
FIXED = {
    "models.initial_network.checkpoint": "initial weights are in no file",
    "models.own_network.build": "a file of Keras is a model of one's own",
    "models.own_network.data": "only folders say how pictures become the input of a model of one's own",
    "data.pictures.kind": "likewise",
    "devices.here.modes": "the search names the device without a mode",
    "devices.board.clocks": "a change of the power mode unlocks them",
    "techniques.*.method": "a technique is named after what it does",
    "search.*.requirements.top1.at_most": "no accuracy is too high",
    "search.*.space.arithmetic": "only LiteRT computes in integers",
}
_PACKAGE = "of the package, which is made on request"
_BY_DIGEST = "a file is the one with the digest, wherever it is from"
#: Keys whose change makes nothing due but what shows the config, and why.
UNUSED = {
    "study.figures": "of a figure that is left out; one that is added is drawn alone",
    "models.*.checkpoint.mirrors": _BY_DIGEST,
    "models.published_*.checkpoint.sha256": f"{_BY_DIGEST}; where that is another, the run ends",
    "models.published_*.seed": "of weights that are trained here",
    "data.newstest.archive.mirrors": _BY_DIGEST,
    "data.newstest.archive.sha256": f"{_BY_DIGEST}; where that is another, the run ends",
    "report.title": "it stands in the report alone",
    "publish.artifacts": _PACKAGE,
}
_ON_REQUEST = "made whenever it is asked for"
_DOWNLOADS = "whatever fetched it, a file is the one with the digest"
_DAG = "says which jobs there are and what they are given, which Snakemake compares by itself"
#: Files whose change makes nothing due, and why.
UNREAD = {
    "scripts/check_device.py": _ON_REQUEST,
    "scripts/clean_devices.py": _ON_REQUEST,
    "scripts/check_model.py": _ON_REQUEST,
    "tocompress/compression/check.py": _ON_REQUEST,
    "tocompress/measurement/sizes.py": _ON_REQUEST,
    "scripts/package.py": _PACKAGE,
    "scripts/verify.py": _ON_REQUEST,
    "tocompress/publishing/*.py": _PACKAGE,
    "scripts/download.py": _DOWNLOADS,
    "tocompress/download.py": _DOWNLOADS,
    "tocompress/plan/*.py": _DAG,
    "tocompress/provenance/digests.py": _DAG,
    "tocompress/provenance/*.py": "no result depends on it",
    "tocompress/errors.py": "no result depends on it",
    "tocompress/head.py": "no result depends on it",
    "tocompress/running.py": "no result depends on it",
    "tocompress/surroundings.py": "they are the same for every job",
    "tocompress/reporting/templates/vendor/*.LICENSE": "licences, which no page shows",
    "snakemake_logger_plugin_progress/__init__.py": "shows progress",
}

INTRODUCTION = """\
# What a change makes due

`snakemake -n` says what would run, and why. This page says it of every key of the config and of every file that a job
runs or reads. Each was changed in a small study that has a job of every rule, and a dry run asked. For a file, every
digest that it is in was changed. A change of one of its definitions makes no more due, and often less. A test does so
again and fails where a set of rules is another; then, where that is meant, `make invalidation` writes the page anew.

A job is due again when its inputs, its settings, its code or the libraries it imports have changed:

- **Settings.** A job is given the part of the config that it depends on, as one text; Snakemake keeps that text with
  the result and compares. So another spelling of a number, another order of keys, and a default that is written out
  change nothing, and a new key of `plot` measures nothing again.
- **Code.** A job is given a digest of the functions, classes and constants that its script reaches, and of the files
  that these name (fonts and word lists of libraries go with the library's version). Other definitions in the same
  modules do not count. Comments, docstrings and layout do not count: what runs is the same. Nor does the age of a file:
  a clone, a switched branch or a touched script runs nothing again.
- **Libraries.** A job is given the versions of those that this code names.
- **Inputs.** A file counts by its content; one of more than 4 GB by its age.

What a table lists is due for the models, variants and devices that the change reaches, not for all: another `share` of
`p50` prunes `p50` again and nothing else. `predict` stands for `predict_shard` as well. `download` is never due
again: a file is the one with the digest. `check_device`, `clean_devices` and `verify` are run whenever they are asked
for. `package` is made on request, and again after any change of the results or the config.

To go on in another clone, copy `results/` and `.snakemake/metadata/`, in which Snakemake keeps what results were made
with: nothing is made again, whatever the times of the files. Without the second, files are compared by their age alone.
"""

ENTRIES = """

Named after where their weights are from: the zoo, a download, a user, or nowhere. `own_network` is a file of
Keras with pictures in folders. `zoo_network` is also scanned for its sensitivities, and `published_translator` is not
benchmarked. Of `zoo_network`, `own_network` and `zoo_translator`, a variant has a bundle. A configuration of
`zoo_network` is searched. The study is compared with another one."""


def names() -> list[str]:
    """All rules, in the order in which they are defined."""
    included = re.findall(r'^include: "(.*)"', (REPOSITORY / "Snakefile").read_text(), re.MULTILINE)
    sources = "".join((REPOSITORY / file).read_text() for file in included)
    return re.findall(r"^(?:rule|use rule \w+ as) (\w+)", sources, re.MULTILINE)


def library() -> list[str]:
    """All files of workflow/ that jobs may run or read, and that hold more than a docstring."""
    folders = (digests.SCRIPTS, digests.LIBRARY, digests.LIBRARY.parent / "snakemake_logger_plugin_progress")
    found = [file for folder in folders for file in folder.rglob("*.*") if file.is_file() and file.suffix != ".pyc"]
    return sorted(_relative(file) for file in found if file.suffix != ".py" or parse(file).definitions)


def _relative(file: Path) -> str:
    return str(file.relative_to(digests.LIBRARY.parent))


def keys(settings: BaseModel, path: Path_ = ()) -> Iterator[tuple[Path_, list[Any]]]:
    """The leaf keys of a validated config, each with the values that its type names; of entries alike, of one."""
    for name, field in type(settings).model_fields.items():
        value, here = getattr(settings, name), (*path, name)
        entries = value if isinstance(value, dict) else {}
        alike = {(type(entry), getattr(entry, "build", None)): name for name, entry in reversed(entries.items())}
        if isinstance(value, BaseModel):
            yield from keys(value, here)
        elif any(isinstance(entry, BaseModel) for entry in entries.values()):
            for name in reversed(alike.values()):
                yield from keys(entries[name], (*here, name))
        else:
            yield here, list(_choices(field.annotation))


def _choices(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    else:
        for part in get_args(annotation):
            yield from _choices(part)


def classes(annotation: Any) -> Iterator[type[BaseModel]]:
    """All classes of settings that a value of a type may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from classes(field.annotation)
    for part in get_args(annotation):
        yield from classes(part)


def held(value: Any) -> Iterator[type[BaseModel]]:
    """All classes of settings that a validated config does hold."""
    if isinstance(value, BaseModel):
        yield type(value)
        for name in type(value).model_fields:
            yield from held(getattr(value, name))
    elif isinstance(value, dict):
        for entry in value.values():
            yield from held(entry)


class Everything:
    """A study that has a job of every rule and an entry of every class of settings, as if it had run."""

    def __init__(self, folder: Path) -> None:
        self.workflow = with_imagenet(Workflow(folder))
        files = ("codes.bpe", "vocabulary.en", "vocabulary.de", "train.en", "train.de")
        for name in ("training/train.en", "training/train.de", "imagenet/other", *(f"other/{file}" for file in files)):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).touch()
        for name in ("train", "test", "other"):
            for label in ("rose", "tulip"):
                (folder / "pictures" / name / label).mkdir(parents=True)
                (folder / "pictures" / name / label / f"{name}.png").touch()
        for name in ("own.keras", "other.keras"):
            (folder / name).touch()
        (folder / "results/another").mkdir(parents=True)
        (folder / "results/another/study.parquet").touch()
        self.study = load(yaml.safe_load(STUDY.read_text()))
        self.config = self.study.model_dump(mode="json")
        self._configure(self.config)
        self.rules = self.due()
        self.workflow.finish(targets=self._targets)
        for record in (folder / "results/downloads").rglob("*.sha256"):
            record.write_text(f"{'0' * 64}  {record.stem}\n")

    @property
    def _targets(self) -> tuple[str, ...]:
        config = json.loads((self.workflow.folder / "config.yaml").read_text())
        paths = Paths(f"results/{config['study']['name']}", config["study"].get("trial"))
        figures = f"{paths.root}/figures"
        scans = (f"{figures}/{scan}_zoo_network.png" for scan in ("sensitivity", "quantization_sensitivity"))
        selected = config["study"]["variants"]
        bundles = (
            paths.bundle.format(runtime=runtime, model=model, variant=variant)
            for runtime, model, variant in BUNDLES
            if model in config["study"]["models"] and variant in selected.get(model, selected["default"])
        )
        searches = (
            f"{paths.root}/{result}"
            for model in config.get("search", {})
            for result in (f"search/{model}/chosen", f"figures/search_{model}.png")
        )
        comparison = paths.comparison("html").format(other="another")
        return "all", "zoo", *scans, *bundles, *searches, comparison

    def due(self) -> Due:
        return frozenset(self.workflow.due(targets=self._targets).rules)

    @cached_property
    def keys(self) -> dict[str, Due | None]:
        """What another value of each key makes due; None where no other is valid."""
        return {".".join(path): self._due_after(path, choices) for path, choices in keys(self.study)}

    def _due_after(self, path: Path_, choices: list[Any]) -> Due | None:
        changed = self._changed(path, choices)
        if changed is None:
            return None
        self._configure(changed)
        try:
            return self.due()
        finally:
            self._configure(self.config)

    def _configure(self, config: dict[str, Any]) -> None:
        (self.workflow.folder / "config.yaml").write_text(json.dumps(config))

    def _changed(self, path: Path_, choices: list[Any]) -> dict[str, Any] | None:
        """A valid config that differs in a key."""
        for value in self._others(path, choices):
            config = copy.deepcopy(self.config)
            *above, key = path
            whole_entry = isinstance(value, dict) and key in value
            _set(config, above if whole_entry else path, value)
            try:
                if load(config) != self.study:
                    return config
            except StudyError:
                continue
        return None

    def _others(self, path: Path_, choices: list[Any]) -> list[Any]:
        if (name := ".".join(path)) in OTHERS:
            return [OTHERS[name]]
        value: Any = self.config
        for step in path:
            value = value[step]
        if isinstance(value, bool):
            return [not value]
        if isinstance(value, int | float):
            return [value + 1, value - 1, value * 1.01, value * 0.99]
        if isinstance(value, list):
            return [value[:-1], ["other"], [*value, 0.5]]
        return [*choices, 3, "other", "0" * 64, ["other"]]

    @cached_property
    def files(self) -> dict[str, Due]:
        """What an edit of each file of the library makes due: what a change of each digest that it is in does."""
        asked = self._asked()
        due = {code: self._due_with_other(code) for code in asked}
        return {
            file: frozenset[str]().union(*(due[code] for code, files in asked.items() if file in files))
            for file in library()
        }

    def _asked(self) -> dict[Code, set[str]]:
        """The digests that a dry run asks for, by the scripts and modules they are of, and the files of each."""
        original = digests.reached
        asked: dict[Code, set[str]] = {}

        def reached(*code: str) -> frozenset[digests.Place]:
            places = original(*code)
            asked[code] = {_relative(file) for file, name in places if can_be_edited(file, name)}
            return places

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(digests, "reached", reached)
            self.due()
        return asked

    def _due_with_other(self, code: Code) -> Due:
        original = base.code_digest
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(base, "code_digest", lambda *asked: "edited" if asked == code else original(*asked))
            return self.due()

    @property
    def page(self) -> str:
        """The page, as Markdown."""
        text = [INTRODUCTION, "## Keys"]
        for section in Study.model_fields:
            of_section = {
                name.partition(".")[2]: due for name, due in self.keys.items() if name.split(".")[0] == section
            }
            reasons = {name: _reason(f"{section}.{name}", FIXED | UNUSED) for name in of_section}
            about = ENTRIES if section == "models" else ""
            text.append(f"### `{section}`{about}\n\n" + _table("key", of_section, reasons))
        files = {name.removeprefix("tocompress/"): due for name, due in self.files.items()}
        reasons = {name.removeprefix("tocompress/"): _reason(name, UNREAD) for name in self.files}
        text.append(
            "## Files\n\nOf `workflow/tocompress/`, and of `workflow/scripts/`.\n\n" + _table("file", files, reasons)
        )
        return "\n\n".join(part.strip() for part in text) + "\n"


def _set(config: dict[str, Any], path: Iterable[str], value: Any) -> None:
    *above, last = path
    for step in above:
        config = config[step]
    config[last] = value


def _reason(name: str, reasons: Mapping[str, str]) -> str:
    return next((reason for pattern, reason in reasons.items() if fnmatch(name, pattern)), "")


def _table(what: str, due: Mapping[str, Due | None], reasons: Mapping[str, str]) -> str:
    """A row for all that makes the same due for the same reason."""
    alike: dict[tuple[str, str], list[str]] = {}
    for name, rules in due.items():
        alike.setdefault((_told(rules), reasons[name]), []).append(f"`{name}`")
    rows = [
        f"| {', '.join(named)} | {f'{rules}: {reason}' if reason else rules} |"
        for (rules, reason), named in alike.items()
    ]
    return "\n".join([f"| {what} | due |", "|---|---|", *rows])


def _told(due: Due | None) -> str:
    if due is None:
        return "has no other value"
    possible = [rule for rule in names() if rule not in {*ON_REQUEST, "download", "predict_shard", "zoo"}]
    rules = {"predict" if rule == "predict_shard" else rule for rule in due}
    here, others = ([rule for rule in possible if (rule in rules) == is_due] for is_due in (True, False))
    if len(here) <= len(others):
        return ", ".join(here) or "nothing"
    return f"all but {', '.join(others)}" if others else "all"


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        open(os.devnull, "w") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
    ):
        page = Everything(Path(folder)).page
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
