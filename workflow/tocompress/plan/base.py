"""The parts of a plan that several stages share."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from tocompress.errors import StudyError
from tocompress.models.registry import find
from tocompress.paths import Paths
from tocompress.provenance.digests import code_digest, environment
from tocompress.settings.data import DataSettings, Wmt
from tocompress.settings.jobs import StudyVariant
from tocompress.settings.model import Checkpoint, KerasModel, ModelSettings
from tocompress.settings.study import Study
from tocompress.settings.technique import Quantize
from tocompress.vocabulary.variants import BASELINE, Variant

Wildcards = Any
#: A parameter of a job: a text, or a function of the job's wildcards that returns one.
Parameter = str | Callable[[Wildcards], str]
Parameters = dict[str, Parameter]
Modules = Iterable[str] | Callable[[Wildcards], Iterable[str]]

#: The numbers of a dataset's examples and their seed, which a job's files already reflect.
SPLITS: Any = {"data": {"train", "calibration", "test", "seed"}}

_SUBWORD_FILES = ("codes", "source_vocabulary", "target_vocabulary")


@dataclass(frozen=True)
class Stage:
    """A study and the paths of its results. Each stage adds the answers to its rules."""

    study: Study
    paths: Paths
    on_cluster: Callable[[], bool] = lambda: False  # known when jobs are planned, after the Snakefile was read

    def parameters(self, script: str, settings: Parameter | None = None, modules: Modules = ()) -> Parameters:
        """Return all that a job of a script depends on besides its files.

        `settings` is the slice of the config, as one canonical text. `modules` are the modules that the script reaches
        by name at run time, or a function of the wildcards that returns them.
        """

        def reached(wildcards: Wildcards) -> Iterable[str]:
            return modules(wildcards) if callable(modules) else modules

        given: Parameters = {
            "code": lambda wildcards: code_digest(script, *reached(wildcards)),
            "environment": lambda wildcards: environment(script, *reached(wildcards)),
        }
        return given if settings is None else {"settings": settings, **given}

    def network(self, wildcards: Wildcards) -> list[str]:
        """Return the module of the network of the wildcard `model`."""
        return [find(self.model(wildcards).network).module]

    # The wildcards of a job

    def model(self, wildcards: Wildcards) -> ModelSettings:
        """Return the model of the wildcard `model`."""
        return self.study.models[wildcards.model]

    def architecture(self, wildcards: Wildcards) -> ModelSettings:
        """Return the model without the source of its weights and without the way it is run."""
        model = self.model(wildcards)
        if isinstance(model, KerasModel):
            return changed(model, file="")
        return changed(model, build="initial", checkpoint=None, seed=1, beam_width=1)

    def pairs(self) -> list[tuple[str, str]]:
        """Return all models and variants that the study selects."""
        return [(model, variant) for model in self.study.study.models for variant in self.study.variants(model)]

    def variants_by(self, *techniques: str) -> str:
        """Return a pattern of the variants whose last technique is one of these."""
        return f"(({'|'.join(self.study.techniques)})-)*({'|'.join(techniques) or '(?!)'})"

    def of_parent(self, pattern: str, wildcards: Wildcards) -> str:
        """Return the file of the variant that the last technique of the wildcard `variant` is applied to."""
        return pattern.format(model=wildcards.model, variant=Variant.parse(wildcards.variant).parent.name)

    def executed(self, runtime: str) -> list[tuple[str, str]]:
        """Return the models and variants of the study that a runtime can execute."""
        return [pair for pair in self.pairs() if self.study.refusal(runtime, *pair) is None]

    def facts_of_own(self, wildcards: Wildcards) -> list[str]:
        """Return the weights file that tells the facts of a model of one's own, where the model is one."""
        own = isinstance(self.model(wildcards), KerasModel)
        return [self.paths.weights.format(model=wildcards.model, variant=BASELINE)] if own else []

    def study_variant(self, model: str, name: str) -> StudyVariant:
        """Return the facts of a variant of a model."""
        techniques = self.study.techniques_in(name)
        quantized = [technique for technique in techniques if isinstance(technique, Quantize)]
        return StudyVariant(
            name=name,
            methods=tuple(technique.method for technique in techniques),
            bits=next((technique.uniform_bits for technique in quantized), None),
            granularity=next((technique.granularity for technique in quantized), None),
            options=next((technique.options_in_words for technique in quantized), None),
            activations=next((str(technique.activations) for technique in quantized if technique.activations), None),
            pruned=self.study.pruned_parent(name),
            refused={
                runtime: reason
                for runtime in self.study.study.runtimes
                if (reason := self.study.refusal(runtime, model, name))
            },
        )

    # The dataset of a model

    def dataset(self, model: str, split: str) -> str:
        """Return the file of a split of the dataset of a model."""
        name = self.study.models[model].data
        pattern = self.paths.images if self.study.data[name].splits == "images" else self.paths.sentences
        return pattern.format(dataset=name, split=split)

    def test_set(self, wildcards: Wildcards) -> str:
        return self.dataset(wildcards.model, "test")

    def train_set(self, wildcards: Wildcards) -> str:
        return self.dataset(wildcards.model, "train")

    def calibration_set(self, wildcards: Wildcards) -> str:
        return self.dataset(wildcards.model, "calibration")

    def subwords(self, wildcards: Wildcards) -> list[str]:
        """Return the files of subwords of a model's dataset, where it has any."""
        name = self.model(wildcards).data
        return [self.file(name, file) for file in subword_files(self.study.data[name]).values()]

    def file(self, dataset: str, file: str) -> str:
        """Return the path of a file of a dataset, which may be taken out of an archive."""
        data = self.study.data[dataset]
        archived = isinstance(data, Wmt) and data.archive is not None
        return self.paths.texts.format(dataset=dataset, member=file) if archived else file

    def examples(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return the settings of a model's dataset without the choice of its examples, since the split is an input."""
        name = self.model(wildcards).data
        data = self.study.data[name]
        return data.of_examples() | {key: self.file(name, file) for key, file in subword_files(data).items()}

    def training_examples(self, wildcards: Wildcards) -> dict[str, Any]:
        """Return the settings of the dataset that a model learns from, with the numbers of its examples."""
        data = self.study.data[self.model(wildcards).data]
        return self.examples(wildcards) | data.model_dump(mode="json", include={"train", "calibration", "seed"})

    def run_model(self, wildcards: Wildcards) -> ModelSettings:
        """Return a model without the settings that its inputs do not depend on."""
        model = self.model(wildcards)
        if isinstance(model, KerasModel):
            return changed(model, file="")
        known = {"build": "own", "checkpoint": Checkpoint(url="")} if model.trained else {}
        return changed(model, **known, width=1.0, seed=1, beam_width=1)


def subword_files(data: DataSettings) -> dict[str, str]:
    """Return the files of a dataset's subwords by their keys."""
    return {key: file for key in _SUBWORD_FILES if (file := getattr(data, key, None)) is not None}


def changed(model: ModelSettings, **values: Any) -> ModelSettings:
    """Return a model with these values. Keys that the model does not have are left out."""
    return model.model_copy(update={key: value for key, value in values.items() if hasattr(model, key)})


def any_of(names: Iterable[str]) -> str:
    """Return a pattern of these names. Without names, it fits nothing."""
    return "|".join(map(re.escape, names)) or "(?!)"


def canonical(**values: Any) -> str:
    """Return the one JSON text of these settings."""

    def plain(value: Any) -> Any:
        return value.model_dump(mode="json") if hasattr(value, "model_dump") else value

    return json.dumps(values, default=plain, sort_keys=True, separators=(",", ":"))


def stop(error: StudyError) -> NoReturn:
    """End the program with one line."""
    print(f"Error: {error}", file=sys.stderr)
    sys.exit(1)
