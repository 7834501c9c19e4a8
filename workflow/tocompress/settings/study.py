"""Validate the whole config: its sections, and that every selected name is defined."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from tocompress.errors import StudyError
from tocompress.settings.base import ONCE, Name, Settings
from tocompress.settings.benchmark import Benchmark
from tocompress.settings.calibration import Calibration
from tocompress.settings.compare import Compare
from tocompress.settings.data import DataSettings, Folders, ImageNet
from tocompress.settings.device import Device, Runtime
from tocompress.settings.evaluation import Evaluation, QuantizationSensitivity, Sensitivity
from tocompress.settings.model import ImageModel, KerasModel, ModelSettings, TranslationModel
from tocompress.settings.publishing import Publish
from tocompress.settings.reporting import Plot, Report
from tocompress.settings.search import JUDGED, UNQUANTIZED, Search
from tocompress.settings.takes import refusal
from tocompress.settings.technique import Budget, Prune, Quantize, Technique
from tocompress.settings.training import Retraining, Training
from tocompress.vocabulary.arithmetic import FLOAT, INTEGER
from tocompress.vocabulary.arithmetic import ONCE as DEQUANTIZED_ONCE
from tocompress.vocabulary.figures import FIGURES
from tocompress.vocabulary.metrics import METRICS
from tocompress.vocabulary.modes import device_of, in_modes
from tocompress.vocabulary.runtimes import LITERT, LITERT_BITS, SUFFIXES, TENSORFLOW
from tocompress.vocabulary.variants import BASELINE, PRUNE, Variant


class Selection(Settings):
    """The definitions that this study runs."""

    name: Name = Field(description="results go to results/{name}/")
    trial: Annotated[str, Field(pattern=r"^[a-z0-9_]+(/[a-z0-9_]+)*$")] | None = Field(
        None,
        description="folder in results/{name}/ for the sessions, the predictions and all that is made of them, so that"
        " results of other variants or settings stay (null: results/{name}/ itself)",
    )
    models: Annotated[tuple[Name, ...], ONCE] = Field(min_length=1, description="models to compress and to judge")
    variants: dict[str, tuple[str, ...]] = Field(
        description="variants of each model (`default` is for every model that is not named)"
    )
    runtimes: Annotated[tuple[Runtime, ...], ONCE] = Field(
        (TENSORFLOW,), min_length=1, description="runtimes that execute variants, in each of which accuracy is judged"
    )
    devices: Annotated[tuple[Name, ...], ONCE] = Field(
        description="devices to benchmark models on (none for a study of accuracy alone)"
    )
    benchmarked: Annotated[tuple[Name, ...], ONCE] | None = Field(None, description="models to benchmark (null: all)")
    figures: Annotated[tuple[str, ...], ONCE] = Field(description="figures to draw")


class Study(Settings):
    """The whole config."""

    study: Selection
    models: dict[Name, ModelSettings]
    techniques: dict[Name, Technique]
    devices: dict[Name, Device]
    data: dict[Name, DataSettings]
    benchmark: Benchmark = Benchmark()
    calibration: Calibration = Calibration()
    evaluation: Evaluation = Evaluation()
    plot: Plot = Plot()
    report: Report = Report()
    publish: Publish = Publish()
    compare: Compare = Compare()
    sensitivity: Sensitivity = Sensitivity()
    quantization_sensitivity: QuantizationSensitivity = QuantizationSensitivity()
    retraining: dict[Name, Retraining] = Field({}, description="how each model is retrained after pruning")
    search: dict[Name, Search] = Field({}, description="searches for the configuration of a model, by model")
    zoo: dict[Name, Training] = Field({}, description="models that `snakemake zoo` trains")

    @model_validator(mode="after")
    def _selected_is_defined(self) -> Study:
        _known("study.models", self.study.models, self.models)
        _known("study.devices", self.study.devices, self.devices)
        _known("study.benchmarked", self.study.benchmarked or (), self.models)
        _known("study.figures", self.study.figures, FIGURES)
        _known("study.variants", self.study.variants, [*self.models, "default"])
        _known("zoo", self.zoo, self.models)
        _known("retraining", self.retraining, self.models)
        if BASELINE in self.techniques:
            raise ValueError(f"techniques: '{BASELINE}' is the uncompressed model; give the technique another name")
        if "default" in self.models:
            raise ValueError("models: 'default' stands for all others in `study.variants`; give the model another name")
        for name, data in self.data.items():
            self._check_data(name, data)
        for name, model in self.models.items():
            _known(f"models.{name}.data", [model.data], self.data)
            self._check_model(name, model)
        for name in self.study.devices:
            if not self.runtimes_on(name):
                wanted = ", ".join(self.study.runtimes)
                raise ValueError(f"devices.{name}.runtimes: names none of `study.runtimes`, which is {wanted}")
        for name in self.study.models:
            if name not in self.study.variants and "default" not in self.study.variants:
                raise ValueError(f"study.variants: names no variants for '{name}' and no 'default'")
            for variant in self.variants(name):
                self._check_variant(name, variant)
            if self.evaluation.prediction.split == "calibration" and self.models[name].trained:
                self._check_training_set("evaluation.prediction.split: 'calibration'", name, "take the split 'test'")
        for name, search in self.search.items():
            self._check_search(name, search)
        return self

    @staticmethod
    def _check_data(name: str, data: DataSettings) -> None:
        files = ("images", "source", "reference", "codes", "source_vocabulary", "target_vocabulary", "train", "classes")
        for key in files:
            if getattr(data, key, None) == "":
                raise ValueError(f"data.{name}.{key}: is empty; name a file")
        if not isinstance(data, Folders):
            return
        if not data.test:
            raise ValueError(
                f"data.{name}.test: is missing; name a folder or a CSV of test pictures, or a share of `train`"
            )
        if isinstance(data.test, float) and data.train is None:
            raise ValueError(f"data.{name}.test: a share of 'data.{name}.train', which names no pictures; name them")
        if isinstance(data.classes, tuple) and len(data.classes) < 2:
            raise ValueError(f"data.{name}.classes: names {len(data.classes)} of them; at least two are needed")

    def _check_model(self, name: str, model: ModelSettings) -> None:
        data = self.data[model.data]
        if isinstance(model, KerasModel):
            self._check_own(name, model)
        elif model.checkpoint and not model.checkpoint.url:
            raise ValueError(f"models.{name}.checkpoint: is empty; name a file, or take build 'initial'")
        if model.task != data.task:
            raise ValueError(f"models.{name}.data: {model.network} takes no examples of the kind '{data.kind}'")
        shown = getattr(data, "classes", 0)
        if isinstance(model, ImageModel) and isinstance(shown, int) and model.classes < shown:
            raise ValueError(f"models.{name}.classes: {model.classes}, but 'data.{model.data}' has {shown}")
        if isinstance(data, ImageNet) and isinstance(model, ImageModel) and model.classes not in (1000, 1001):
            raise ValueError(
                f"models.{name}.classes: {model.classes}, but ImageNet has 1000, or 1001 with a background first"
            )
        if isinstance(model, TranslationModel) and (not model.trained or name in self.zoo):
            for key in ("source_vocabulary", "target_vocabulary"):
                if getattr(model, key) is None:
                    raise ValueError(f"models.{name}.{key}: initial weights need a number of subwords")

    def _check_own(self, name: str, model: KerasModel) -> None:
        """Raise ValueError where a model of one's own has no file, or no pictures that are scaled for it."""
        data = self.data[model.data]
        if not model.file:
            raise ValueError(f"models.{name}.file: is empty; name a .keras or .h5 file, or the folder of a SavedModel")
        if name in self.zoo:
            raise ValueError(f"zoo.{name}: only the study's own networks are trained; '{name}' comes from a file")
        if model.task == data.task and getattr(data, "preprocessing", None) is None:
            raise ValueError(
                f"models.{name}.data: '{model.data}' does not say how pictures become the input of a model of one's"
                " own; take the kind 'folders' with, for example, 'preprocessing: {resize: crop, scale: [0, 255]}'"
            )

    def _check_variant(self, model: str, variant: str) -> None:
        where = f"study.variants: '{variant}' of '{model}'"
        techniques = Variant.parse(variant).techniques
        if "" in techniques or BASELINE in techniques:
            raise ValueError(f"{where}: a variant is '{BASELINE}', or techniques with '-' between them, as in 'q8-p05'")
        _known(where, techniques, self.techniques)
        chosen = self.techniques_in(variant)
        if len({technique.method for technique in chosen}) < len(chosen):
            raise ValueError(f"{where} applies the same method twice; a chain takes each method once, as in 'q8-p05'")
        on_data = any(isinstance(technique, Prune) and technique.criterion == "taylor" for technique in chosen)
        if on_data and not self.models[model].trained:
            raise ValueError(f"{where} ranks initial weights by 'taylor', which says nothing; take criterion 'l1'")
        if on_data:
            self._check_training_set(f"{where} ranks by 'taylor'", model, "take criterion 'l1'")
        refusals = [refusal(runtime, chosen) for runtime in self.study.runtimes]
        if all(refusals):
            others = ", ".join(runtime for runtime in SUFFIXES if refusal(runtime, chosen) is None) or "none"
            raise ValueError(f"{where}: {refusals[0]}; name a runtime in `study.runtimes` that can run it: {others}")
        calibrated = any(isinstance(technique, Quantize) and technique.activations == 8 for technique in chosen)
        if calibrated and any(self.refusal(runtime, model, variant) is None for runtime in self.study.runtimes):
            self._check_training_set(f"{where} needs calibration images", model, "take activations 'dynamic'")
        self._check_quantization(where, model, variant)
        if any(isinstance(technique, Prune) and technique.statistics == "recalibrated" for technique in chosen):
            self._check_recalibration(where, model)
        control = any(isinstance(technique, Prune) and technique.share == 0 for technique in chosen)
        if control and not self.models[model].trained:
            raise ValueError(f"{where} only retrains, and initial weights are never retrained; leave it out")
        retrained = any(isinstance(technique, Prune) and technique.retrain for technique in chosen)
        if retrained and self.models[model].trained:
            self._check_retraining(where, model)

    def _check_quantization(self, where: str, model: str, variant: str) -> None:
        """Raise ValueError where quantization lacks the data that it learns from, or pruning would undo it."""
        chosen = self.techniques_in(variant)
        for place, technique in enumerate(chosen):
            if not isinstance(technique, Quantize):
                continue
            if technique.on_data:
                self._check_calibration(where, model, technique.keys_on_data[0])
            if isinstance(technique.bits, Budget) and not self.models[model].trained:
                raise ValueError(f"{where} distributes bits by accuracy, and initial weights have none; give a number")
            undone = [key for key in ("range", "rounding") if key in technique.options]
            if undone and any(isinstance(later, Prune) for later in chosen[place + 1 :]):
                raise ValueError(
                    f"{where}: retraining puts weights on the nearest levels of grids from minimum to maximum, which"
                    f" undoes '{undone[0]}'; prune first"
                )

    def _check_recalibration(self, where: str, model: str) -> None:
        if self.models[model].task == "translation":
            network = self.models[model].network
            raise ValueError(f"{where} recalibrates batch norm, but {network} has none; leave out 'statistics'")
        self._check_calibration(where, model, "statistics")

    def _check_calibration(self, where: str, model: str, key: str) -> None:
        self._check_training_set(f"{where} needs a calibration set for '{key}'", model, f"leave out '{key}'")

    def _check_retraining(self, where: str, model: str) -> None:
        if model not in self.retraining:
            added = f"retraining: {{{model}: {{epochs: ..., learning_rates: [...]}}}}"
            raise ValueError(f"{where} is retrained, but 'retraining' does not say how: add '{added}'")
        self._check_training_set(f"{where} is retrained", model, "set 'retrain: false' for the technique")
        data = self.models[model].data
        asked, available = self.retraining[model].examples, self.data[data].train
        if asked is not None and isinstance(available, int) and asked > available:
            raise ValueError(f"retraining.{model}.examples: {asked}, but 'data.{data}.train' is {available}")

    def _check_training_set(self, what: str, model: str, instead: str) -> None:
        name = self.models[model].data
        data = self.data[name]
        if not data.has_training:
            key = "train" if isinstance(data, Folders) else "training"
            raise ValueError(f"{what}, but 'data.{name}.{key}' names no training set; name it, or {instead}")

    def _check_search(self, model: str, search: Search) -> None:
        where = f"search.{model}"
        _known("search", [model], self.models)
        _known(f"{where}.device", [search.device], self._measured(self.devices))
        if not self.models[model].trained:
            raise ValueError(f"{where}: initial weights have no accuracy to judge; name a trained model")
        if search.runtime not in (there := self.device(search.device).runtimes):
            raise ValueError(f"{where}.runtime: '{search.device}' has {', '.join(there)}; name one of them")
        task = self.models[model].task
        for metric in search.requirements:
            if metric in JUDGED and METRICS[metric].task != task:
                fitting = ", ".join(name for name in JUDGED if METRICS[name].task == task)
                raise ValueError(f"{where}.requirements.{metric}: does not judge the task {task}; take {fitting}")
        self._check_space(where, model, search)
        self._check_training_set(f"{where} judges on a calibration set", model, "leave out the search")

    def _check_space(self, where: str, model: str, search: Search) -> None:
        space = search.space
        if INTEGER in space.arithmetic and search.runtime != LITERT:
            raise ValueError(f"{where}.space.arithmetic: only {LITERT} computes in integers; take [{FLOAT}]")
        odd = [bits for bits in space.bits if LITERT_BITS < bits < UNQUANTIZED]
        if odd and search.runtime == LITERT:
            raise ValueError(
                f"{where}.space.bits: {odd[0]}, but {LITERT} holds integer weights of at most {LITERT_BITS} bits;"
                f" take {UNQUANTIZED} for floats"
            )
        if any(space.share):
            self._check_retraining(f"{where}.space.share", model)

    def variants(self, model: str) -> tuple[str, ...]:
        """Return the variants of `model` in this study, with the uncompressed baseline first."""
        chosen = self.study.variants.get(model, self.study.variants.get("default", ()))
        return (BASELINE, *dict.fromkeys(variant for variant in chosen if variant != BASELINE))

    def techniques_of(self, method: str) -> tuple[str, ...]:
        """Return the names of the techniques with this method."""
        return tuple(name for name, technique in self.techniques.items() if technique.method == method)

    def techniques_in(self, variant: str) -> tuple[Technique, ...]:
        """Return the techniques that `variant` is made by, in their order."""
        return tuple(self.techniques[name] for name in Variant.parse(variant).techniques)

    def refusal(self, runtime: str, model: str, variant: str) -> str | None:
        """Return why a runtime cannot execute a variant of a model, or None where it can."""
        return refusal(runtime, self.techniques_in(variant), self.models[model].task)

    def device(self, name: str) -> Device:
        """Return a device, whose name may hold its power mode."""
        return self.devices[device_of(name)]

    @property
    def measured(self) -> tuple[str, ...]:
        """Return the selected devices, each once in every power mode that it is measured in."""
        return self._measured(self.study.devices)

    def _measured(self, devices: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for device in devices for name in in_modes(device, self.devices[device].modes))

    def runtimes_on(self, device: str) -> tuple[str, ...]:
        """Return the runtimes that a session on a device measures."""
        return tuple(runtime for runtime in self.study.runtimes if runtime in self.device(device).runtimes)

    def arithmetics(self, runtime: str, variant: str) -> tuple[str, ...]:
        """Return the ways in which a runtime computes a variant, each of which is measured."""
        quantized = [technique for technique in self.techniques_in(variant) if isinstance(technique, Quantize)]
        if not quantized:
            return (FLOAT,)
        if any(technique.activations for technique in quantized):
            return (INTEGER,)
        return (DEQUANTIZED_ONCE,) if runtime == LITERT else self.benchmark.arithmetic

    def pruned_parent(self, variant: str) -> str | None:
        """Return the chain up to its pruning, itself included. It is None where nothing is pruned."""
        pruning = self.techniques_of(PRUNE)
        return next((step.name for step in Variant.parse(variant).steps if step.last in pruning), None)

    @property
    def benchmarked(self) -> tuple[str, ...]:
        """Return the selected models whose cost is measured, in the order of the selection."""
        if not self.study.devices:
            return ()
        chosen = self.study.models if self.study.benchmarked is None else self.study.benchmarked
        return tuple(name for name in self.study.models if name in chosen)

    @cached_property
    def trained(self) -> tuple[str, ...]:
        """Return the selected models with trained weights, for accuracy means nothing without training."""
        return tuple(name for name in self.study.models if self.models[name].trained)


def load(config: Mapping[str, Any]) -> Study:
    """Return the validated study. Raise a `StudyError` of one line for a wrong config."""
    try:
        return Study.model_validate(dict(config))
    except ValidationError as error:
        raise StudyError(f"config: {_first_problem(error)}") from None
    except UnicodeEncodeError as error:  # JSON can hold half a surrogate pair
        raise StudyError(f"config: {error.object}: not a text that can be written") from None


def _known(where: str, names: Iterable[str], defined: Iterable[str]) -> None:
    for name in names:
        if name not in defined:
            raise ValueError(f"{where}: '{name}' is not defined{_hint(name, defined)}")


def _hint(name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean '{near[0]}'?" if near else f"; there is {', '.join(map(repr, known)) or 'none'}"


#: Kind of problem -> message in the file's words, for kinds that pydantic tells in Python's words.
_PLAIN = {
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "Input should be a mapping"),
    "tuple_type": "Input should be a list",
    "too_short": "Input should have at least {min_length} entry",
    "string_type": "Input should be a text; quotes make one of a number",
    "union_tag_invalid": "Input should be one of {expected_tags}",
    "union_tag_not_found": "Field required",
}
#: Pattern of a text -> the texts that match it, in words.
TEXTS = {
    r"^[a-z][a-z0-9_]*$": "lower-case letters, digits and _, with a letter first",
    r"^[a-z][a-z0-9_]*(@[A-Za-z0-9][A-Za-z0-9_.-]*)?$": "the name of a device, or a device@mode",
    r"^[A-Za-z0-9][A-Za-z0-9_.-]*$": "letters, digits and the signs . _ -, with a letter or digit first",
    r"^[a-z0-9_]+(/[a-z0-9_]+)*$": "lower-case letters, digits, _ and /",
    r"^[0-9a-f]{32}$": "32 hexadecimal digits",
    r"^[0-9a-f]{64}$": "64 hexadecimal digits",
    r"^[a-z]{2,3}$": "the two or three letters of a language",
    "^/": "a path that begins with /",
}
_LONGEST_SHOWN = 80  # characters


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    kind, context, given = problem["type"], problem.get("ctx", {}), problem["input"]
    path, keys = _in_the_file(problem["loc"])
    is_key = kind == "extra_forbidden" or problem["loc"][-1:] == ("[key]",)
    if is_key and "." in path[-1]:
        return f"{'.'.join(path)}: a key holds no dot; write it nested: {_nested('.'.join(path).split('.'))}"
    if kind == "extra_forbidden":
        return f"{'.'.join(path)}: unknown key{_hint(path[-1], keys)}"
    if kind.startswith("union_tag") and isinstance(given, Mapping):
        path.append(context["discriminator"].strip("'"))
        given = context.get("tag", given)
    where = ".".join(path)
    if kind == "string_pattern_mismatch":
        message = f"Input should be {TEXTS[context['pattern']]}"
    else:
        message = _PLAIN[kind].format(**context) if kind in _PLAIN else problem["msg"].removeprefix("Value error, ")
    shown = f" (it is {repr(given)[:_LONGEST_SHOWN]})" if isinstance(given, str | int | float | None) else ""
    return f"{where}: {message}{shown}" if where else message


def _nested(steps: list[str]) -> str:
    return ": {".join(steps) + ": ..." + "}" * (len(steps) - 1)


def _in_the_file(location: tuple[int | str, ...]) -> tuple[list[str], list[str]]:
    """Return pydantic's path as a path in the user's file, without tags of unions, and the keys known at its end."""
    schema = Study.model_json_schema()
    node: dict[str, Any] = schema
    path: list[str] = []
    keys: list[str] = []
    for step in map(str, location):
        if step == "[key]":  # pydantic's word for a wrong key
            break
        node = _resolve(schema, node)
        if "oneOf" in node:
            node = next(choice for choice in node["oneOf"] if _type_of(choice).startswith(step.replace("_", "")))
            continue
        path.append(step)
        keys = [*node.get("properties", {})]
        patterns = node.get("patternProperties", {})
        entry = next(iter(patterns.values()), node.get("additionalProperties") or node.get("items", {}))
        node = node.get("properties", {}).get(step) or entry
    return path, keys


def _type_of(choice: dict[str, Any]) -> str:
    """Return the name of a choice's class, or of its JSON type, in lower case."""
    name: str = choice["$ref"].rsplit("/", 1)[-1] if "$ref" in choice else choice["type"]
    return name.lower()


def _resolve(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Return the node that references lead to. A node that may be null counts as its other choice."""
    while "$ref" in node or "anyOf" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]] if "$ref" in node else node["anyOf"][0]
    return node
