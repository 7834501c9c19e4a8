"""What Snakemake asks of a study: the targets, the inputs of a job that follow from the config, and its parameters.

Parameters are the slice of the config that a job depends on, as one canonical text; scripts see nothing else.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from tocompress.checkpoints.prefix import files_of, prefix_of
from tocompress.errors import StudyError, about
from tocompress.files import check_digest
from tocompress.models.registry import NETWORKS, Network
from tocompress.paths import FIGURE_FORMATS, Paths
from tocompress.provenance.digests import code_digest
from tocompress.settings.base import Download, check_keys
from tocompress.settings.data import DataSettings, Glyphs, ImageNet, Wmt
from tocompress.settings.jobs import AggregateJob, SensitivityFigureJob, StudyDevice, StudyModel, StudyVariant
from tocompress.settings.model import Checkpoint, ImageModel, ModelSettings, TranslationModel
from tocompress.settings.study import Study, load
from tocompress.settings.technique import Quantize
from tocompress.settings.training import Retraining
from tocompress.vocabulary.figures import FIGURES
from tocompress.vocabulary.variants import BASELINE

#: Keys of a dataset that name files.
FILES = ("codes", "source_vocabulary", "target_vocabulary")

_ALL_CORES = 10_000

Wildcards = Any
Parameter = Callable[[Wildcards], str]


@dataclass(frozen=True)
class Plan:
    """A study and where its results go."""

    study: Study
    paths: Paths

    # Targets

    @property
    def figures(self) -> list[str]:
        figures = self.study.study.figures
        return [self.paths.figure(kind).format(figure=figure) for figure in figures for kind in FIGURE_FORMATS]

    @property
    def zoo(self) -> list[str]:
        return [self.paths.zoo.format(model=model) for model in self.study.study.models if model in self.study.zoo]

    # Wildcards

    @property
    def wildcards(self) -> dict[str, str]:
        """What each wildcard may stand for; a path with anything else is no target."""
        variant = f"{BASELINE}|{self.variant_by(*self.study.techniques)}"
        return {
            "model": "|".join(self.study.models),
            "variant": variant,
            "structure": variant,
            "device": "|".join(self.study.devices),
            "dataset": "|".join(self.study.data),
            "split": "train|calibration|test",
            "figure": "|".join(FIGURES),
            "address": _any_of(self.downloads),
            "member": ".+",
        }

    def datasets(self, *kinds: str) -> str:
        """The datasets of these kinds."""
        return _any_of(name for name, data in self.study.data.items() if data.kind in kinds)

    def predicted(self, *, whole: bool) -> str:
        """The models whose test set is one job a variant, or else shared out."""
        return _any_of(self.study.study.models if whole == (self.shards == 1) else ())

    @property
    def shards(self) -> int:
        return self.study.evaluation.prediction.shards

    @property
    def quantized(self) -> str:
        """The variants that quantization comes last in."""
        return self.variant_by(*self.study.techniques_of("quantize"))

    @property
    def pruned(self) -> str:
        """The variants that pruning comes last in."""
        return self.variant_by(*self.study.techniques_of("prune"))

    def variant_by(self, *last: str) -> str:
        """The variants whose last technique is one of these."""
        return f"(({'|'.join(self.study.techniques)})-)*({'|'.join(last) or '(?!)'})"

    # Inputs

    def dataset(self, model: str, split: str = "test") -> str:
        """The file of the set that a model is evaluated on."""
        name = self.study.models[model].data
        pattern = self.paths.images if isinstance(self.study.data[name], Glyphs) else self.paths.sentences
        return pattern.format(dataset=name, split=split)

    @property
    def downloads(self) -> dict[str, Download]:
        """Where the files come from that are not on this machine, by their place among the downloads."""
        found: dict[str, Download] = {}
        for name in self.study.study.models:
            model = self.study.models[name]
            data = self.study.data[model.data]
            for source in (model.checkpoint, data.archive if isinstance(data, Wmt) else None):
                if source is not None and _is_remote(source):
                    found[_address(source)] = source
        return found

    def files_of(self, source: Download | None) -> list[str]:
        """The files on this machine of what the config names by its url."""
        if source is None:
            return []
        if _is_remote(source):
            return [self.paths.download.format(address=_address(source))]
        return list(map(str, _local_files(source)))

    def digest_of(self, source: Download | None) -> list[str]:
        """The recorded digest of a download: with it as an input, a file brought by hand is checked as well."""
        if source is None or not _is_remote(source):
            return []
        return [self.paths.download_digest.format(address=_address(source))]

    def checked_checkpoint(self, wildcards: Wildcards) -> list[str]:
        """The files of a model's checkpoint whose digest is known, so that their age says nothing."""
        return self.files_of(checkpoint) if _is_known(checkpoint := self._checkpoint(wildcards)) else []

    def unchecked_checkpoint(self, wildcards: Wildcards) -> list[str]:
        return [] if _is_known(checkpoint := self._checkpoint(wildcards)) else self.files_of(checkpoint)

    def checkpoint_digest(self, wildcards: Wildcards) -> list[str]:
        return self.digest_of(self._checkpoint(wildcards))

    def _checkpoint(self, wildcards: Wildcards) -> Checkpoint | None:
        return self.study.models[wildcards.model].checkpoint

    def vocabularies(self, wildcards: Wildcards) -> list[str]:
        """The vocabularies of a translation model's data, where they tell how many subwords its checkpoint has."""
        model = self.study.models[wildcards.model]
        told = not isinstance(model, TranslationModel) or (model.source_vocabulary and model.target_vocabulary)
        data = self.study.data[model.data]
        return [] if told else [self._file(model.data, getattr(data, key)) for key in FILES[1:]]

    def photographs(self, wildcards: Wildcards) -> list[str]:
        """What holds the photographs of a split; ends the program where that is missing, and was not read earlier."""
        data = self._imagenet(wildcards)
        files = (data.images, data.labels) if wildcards.split == "test" else (data.training,)
        if any(file is not None and not Path(file).exists() for file in files):
            from tocompress.data.imagenet import missing_photographs

            self._missing(wildcards, missing_photographs(data))
        return [file for file in files[:1] if file is not None]

    def labels(self, wildcards: Wildcards) -> list[str]:
        """The labels of the test images, where these do not tell them."""
        labels = self._imagenet(wildcards).labels
        return [labels] if labels is not None and wildcards.split == "test" else []

    def test_texts(self, wildcards: Wildcards) -> list[str]:
        """The sources and references of the test set; ends the program as `photographs` does."""
        data = self._wmt(wildcards)
        files = (data.source, data.reference) if wildcards.split == "test" else ()
        if data.archive is None:
            self._check_texts(wildcards, files)
        return [self._file(wildcards.dataset, file) for file in files]

    def training_texts(self, wildcards: Wildcards) -> list[str]:
        """The sentences that training and calibration set are drawn from; ends the program as `photographs` does."""
        files = self._wmt(wildcards).training if wildcards.split != "test" else None
        self._check_texts(wildcards, files or ())
        return list(files or ())

    def _check_texts(self, wildcards: Wildcards, files: Iterable[str]) -> None:
        if missing := [file for file in files if not Path(file).is_file()]:
            self._missing(wildcards, f"there is no file '{missing[0]}'; name an existing one, from {Path.cwd()}")

    def _missing(self, wildcards: Wildcards, problem: str) -> None:
        """End the program; where a split has been read already, only say that this is kept."""
        split = self.paths.sentences.format(dataset=wildcards.dataset, split=wildcards.split)
        if not Path(split).is_file():
            _stop(StudyError(f"data.{wildcards.dataset}: {problem}"))
        print(f"data.{wildcards.dataset}: {problem}; {split} is taken as it is", file=sys.stderr)

    @property
    def archived(self) -> str:
        """The datasets whose files are in an archive."""
        return _any_of(name for name, data in self.study.data.items() if isinstance(data, Wmt) and data.archive)

    def archive(self, wildcards: Wildcards) -> list[str]:
        return self.files_of(self._wmt(wildcards).archive)

    def archive_digest(self, wildcards: Wildcards) -> list[str]:
        return self.digest_of(self._wmt(wildcards).archive)

    def _imagenet(self, wildcards: Wildcards) -> ImageNet:
        data = self.study.data[wildcards.dataset]
        assert isinstance(data, ImageNet)  # by the rule's constraint, as below
        return data

    def _wmt(self, wildcards: Wildcards) -> Wmt:
        data = self.study.data[wildcards.dataset]
        assert isinstance(data, Wmt)
        return data

    def _file(self, dataset: str, file: str) -> str:
        """A file of a dataset: out of its archive, where it has one."""
        data = self.study.data[dataset]
        archived = isinstance(data, Wmt) and data.archive is not None
        return self.paths.texts.format(dataset=dataset, member=file) if archived else file

    def test_set(self, wildcards: Wildcards) -> str:
        return self.dataset(wildcards.model)

    def subwords(self, wildcards: Wildcards) -> list[str]:
        name = self.study.models[wildcards.model].data
        return [self._file(name, file) for file in _subword_files(self.study.data[name]).values()]

    def train_set(self, wildcards: Wildcards) -> str:
        return self.dataset(wildcards.model, "train")

    def calibration_set(self, wildcards: Wildcards) -> str:
        return self.dataset(wildcards.model, "calibration")

    def retraining_set(self, wildcards: Wildcards) -> list[str]:
        """The training set, where a pruned network is retrained."""
        return [self.train_set(wildcards)] if self._retraining(wildcards) else []

    def pruning_set(self, wildcards: Wildcards) -> list[str]:
        """The calibration set, where retraining is watched on it or later cuts are ranked on it."""
        technique = self._last_technique(wildcards)
        ranked_again = technique.criterion == "taylor" and technique.rounds > 1
        return [self.calibration_set(wildcards)] if ranked_again or self._retraining(wildcards) else []

    def importance(self, wildcards: Wildcards) -> list[str]:
        """How much each channel of the parent matters, where that takes data."""
        ranked_on_data = self._last_technique(wildcards).criterion == "taylor"
        return [self._of_parent(self.paths.importance, wildcards)] if ranked_on_data else []

    def parent(self, wildcards: Wildcards) -> str:
        """The weights that the last technique of a variant is applied to."""
        return self._of_parent(self.paths.weights, wildcards)

    def trained_weights(self, wildcards: Wildcards) -> str:
        """The uncompressed weights of a model whose accuracy means something; ends the program for another."""
        if not self.study.models[wildcards.model].trained:
            trained = ", ".join(self.study.trained) or "of which this study has none"
            _stop(StudyError(f"sensitivity: '{wildcards.model}' has initial weights; scan a trained model ({trained})"))
        return self.paths.weights.format(model=wildcards.model, variant=BASELINE)

    def body(self, wildcards: Wildcards) -> list[str]:
        """The graph that a variant fills with its weights, and that graph's facts."""
        structure = self.structure(wildcards.variant)
        return [
            pattern.format(model=wildcards.model, structure=structure)
            for pattern in (self.paths.body, self.paths.structure)
        ]

    def structure(self, variant: str) -> str:
        """The variant whose graph a variant shares: quantization that comes last changes no shape.

        Before pruning it may, since what is ranked then is what it left.
        """
        head, _, last = variant.rpartition("-")
        quantized = variant != BASELINE and self.study.techniques[last].method == "quantize"
        return (head or BASELINE) if quantized else variant

    def artifacts(self, wildcards: Wildcards) -> list[str]:
        """The artifacts of all variants of a model, measured in one session."""
        return [
            self.paths.artifact.format(model=wildcards.model, variant=variant)
            for variant in self.study.variants(wildcards.model)
        ]

    @property
    def artifact_facts(self) -> list[str]:
        return [self.paths.artifact_facts.format(model=m, variant=v) for m, v in self._pairs()]

    @property
    def metrics(self) -> list[str]:
        return [self.paths.metrics.format(model=m, variant=v) for m, v in self._pairs() if m in self.study.trained]

    @property
    def pruning(self) -> list[str]:
        """What pruning removed, once for all variants of a model that are made of the same pruned one."""
        cuts = dict.fromkeys((model, self.study.pruned_parent(variant)) for model, variant in self._pairs())
        return [self.paths.compression.format(model=model, variant=cut) for model, cut in cuts if cut]

    def benchmarks(self, table: str) -> list[str]:
        pattern = self.paths.benchmark(table)
        return [
            pattern.format(device=device, model=model)
            for device in self.study.study.devices
            for model in self.study.benchmarked
        ]

    def _of_parent(self, pattern: str, wildcards: Wildcards) -> str:
        head, _, _ = wildcards.variant.rpartition("-")
        return pattern.format(model=wildcards.model, variant=head or BASELINE)

    def _pairs(self) -> list[tuple[str, str]]:
        return [(model, variant) for model in self.study.study.models for variant in self.study.variants(model)]

    # Digests: what a job's script reaches by name, beyond what it imports

    def network_code(self, script: str) -> Parameter:
        """The digest of a script that builds the network of the wildcard `model`."""
        return lambda wildcards: code_digest(script, self._network(wildcards).module)

    def figure_code(self, script: str) -> Parameter:
        """The digest of a script that draws the wildcard `figure`."""
        return lambda wildcards: code_digest(script, f"tocompress.reporting.figures.{wildcards.figure}")

    @property
    def figure_modules(self) -> list[str]:
        return [f"tocompress.reporting.figures.{figure}" for figure in self.study.study.figures]

    def _network(self, wildcards: Wildcards) -> Network:
        return NETWORKS[self.study.models[wildcards.model].network]

    # Parameters

    def data_settings(self, wildcards: Wildcards) -> str:
        """What one split of a dataset depends on."""
        return self.study.data[wildcards.dataset].of_split(wildcards.split)

    def member_settings(self, wildcards: Wildcards) -> str:
        """The digests of a file in an archive, and of the archive where that is not a download's."""
        data = self._wmt(wildcards)
        assert data.archive is not None
        archive = None if _is_remote(data.archive) else data.archive.sha256
        return _canonical(member=data.md5.get(Path(wildcards.member).name), archive=archive)

    def model_settings(self, wildcards: Wildcards) -> str:
        """What a model's uncompressed weights depend on."""
        model, checkpoint = self.study.models[wildcards.model], self._checkpoint(wildcards)
        if checkpoint is not None:
            # A download has been checked.
            kept = {"file"} if _is_remote(checkpoint) else {"file", "sha256"}
            found = Checkpoint(url="", **checkpoint.model_dump(include=kept))
            model = _changed(model, build="own", checkpoint=found, seed=1)
        return _changed(model, beam_width=1).canonical()

    def technique_settings(self, wildcards: Wildcards) -> str:
        """The last technique of a variant."""
        settings: str = self._last_technique(wildcards).canonical()
        return settings

    def ranking_settings(self, wildcards: Wildcards) -> str:
        """What the ranking of channels on data depends on."""
        return _canonical(model=self._architecture(wildcards), data=self._examples(wildcards))

    def pruning_settings(self, wildcards: Wildcards) -> str:
        """The last technique of a variant, and what retraining depends on."""
        retraining = self._retraining(wildcards)
        return _canonical(
            technique=self._last_technique(wildcards),
            model=self._architecture(wildcards),
            data=self._training_data(wildcards) if retraining else self._examples(wildcards),
            retraining=retraining,
        )

    def decoding(self, wildcards: Wildcards) -> str:
        model = self.study.models[wildcards.model]
        return _canonical(beam_width=model.beam_width if isinstance(model, TranslationModel) else 1)

    def inputs_settings(self, wildcards: Wildcards) -> str:
        inputs, model = self.study.benchmark.inputs, self.study.models[wildcards.model]
        return self._with_data(wildcards, count=inputs.images if isinstance(model, ImageModel) else inputs.sentences)

    def benchmark_settings(self, wildcards: Wildcards) -> str:
        return _canonical(
            name=wildcards.device,
            device=self.study.devices[wildcards.device],
            benchmark=self.study.benchmark.model_dump(mode="json", exclude={"inputs"}),
            variants=self.study.variants(wildcards.model),
        )

    def device_settings(self, wildcards: Wildcards) -> str:
        return self.study.devices[wildcards.device].canonical()

    @property
    def boards_settings(self) -> str:
        """The devices of the study that are reached by ssh."""
        devices = {name: self.study.devices[name] for name in self.study.study.devices}
        return _canonical(**{name: device for name, device in devices.items() if device.transport == "ssh"})

    def benchmark_threads(self, wildcards: Wildcards) -> int:
        """All cores, to be alone on this machine; Snakemake cuts the number to what it was given."""
        return _ALL_CORES if self.study.devices[wildcards.device].transport == "local" else 1

    def prediction_settings(self, wildcards: Wildcards) -> str:
        size = "batch_size" if isinstance(self.study.models[wildcards.model], ImageModel) else "sentences"
        prediction = self.study.evaluation.prediction.model_dump(include={size})
        return self._with_data(wildcards, prediction=prediction)

    def score_settings(self, wildcards: Wildcards) -> str:
        data = self.study.data[self.study.models[wildcards.model].data]
        return _canonical(
            scores=self.study.evaluation.scores, language=data.languages[1] if isinstance(data, Wmt) else None
        )

    def _with_data(self, wildcards: Wildcards, **more: Any) -> str:
        """What a set's examples look like to a model, whatever its weights are."""
        model = self.study.models[wildcards.model]
        known = {"build": "own", "checkpoint": Checkpoint(url="")} if model.trained else {}
        model = _changed(model, **known, width=1.0, seed=1, beam_width=1)
        return _canonical(model=model, data=self._examples(wildcards), **more)

    def _examples(self, wildcards: Wildcards) -> dict[str, Any]:
        """What a model's data are, but for how many and which: a job's inputs tell that."""
        name = self.study.models[wildcards.model].data
        data = self.study.data[name]
        files = {key: self._file(name, file) for key, file in _subword_files(data).items()}
        return data.of_examples() | files

    @property
    def aggregate_settings(self) -> str:
        """What names the rows of the study's table, and how samples become intervals."""
        study = self.study
        models = {name: study.models[name] for name in study.study.models}
        devices = {name: study.devices[name] for name in study.study.devices}
        return AggregateJob(
            models=tuple(
                StudyModel(
                    name=name,
                    network=model.network,
                    build=model.build,
                    data=model.data,
                    trained=model.trained,
                    benchmarked=name in study.benchmarked,
                    variants=tuple(map(self._facts_of, study.variants(name))),
                )
                for name, model in models.items()
            ),
            devices=tuple(
                StudyDevice(name=name, processor=device.processor, runtime=device.runtime, rails=device.rails)
                for name, device in devices.items()
            ),
            level=study.benchmark.level,
            target=study.benchmark.target,
        ).canonical()

    def _facts_of(self, variant: str) -> StudyVariant:
        techniques = self.study.techniques_in(variant)
        quantized = [technique for technique in techniques if isinstance(technique, Quantize)]
        return StudyVariant(
            name=variant,
            methods=tuple(technique.method for technique in techniques),
            bits=min((technique.bits for technique in quantized), default=None),
            granularity=next((technique.granularity for technique in quantized), None),
            pruned=self.study.pruned_parent(variant),
        )

    @property
    def claims_settings(self) -> str:
        """What a variant's name may hold, and what kind of data accuracies are of."""
        methods = {name: technique.method for name, technique in self.study.techniques.items()}
        names = {self.study.models[name].data for name in self.study.study.models}
        return _canonical(techniques=methods, data={name: self.study.data[name].kind for name in names})

    def sensitivity_settings(self, wildcards: Wildcards) -> str:
        """What a model's network and its examples are, and how it is scanned."""
        return _canonical(
            model=self._architecture(wildcards),
            data=self._examples(wildcards),
            sensitivity=self.study.sensitivity,
        )

    def sensitivity_figure_settings(self, wildcards: Wildcards) -> str:
        """What the figure of a scan says beyond its table."""
        model = self.study.models[wildcards.model]
        return SensitivityFigureJob(
            model=wildcards.model,
            network=model.network,
            data=model.data,
            criterion=self.study.sensitivity.criterion,
            plot=self.study.plot,
        ).canonical()

    @property
    def plot_settings(self) -> str:
        return self.study.plot.canonical()

    @property
    def report_settings(self) -> str:
        return _canonical(
            report=self.study.report,
            plot=self.study.plot,
            devices=self.study.study.devices,
            config=self._selected(),
        )

    def _selected(self) -> dict[str, Any]:
        """What the study selects and how that is defined, for people to read."""
        study = self.study
        techniques = {name for _, variant in self._pairs() for name in variant.split("-")} - {BASELINE}
        named = {
            "models": study.study.models,
            "techniques": sorted(techniques),
            "devices": study.study.devices,
            "data": sorted({study.models[name].data for name in study.study.models}),
            "retraining": [name for name in study.study.models if name in study.retraining],
        }
        chosen = {section: {name: getattr(study, section)[name] for name in names} for section, names in named.items()}
        return {"study": study.study, **chosen, "benchmark": study.benchmark, "evaluation": study.evaluation}

    def training_settings(self, wildcards: Wildcards) -> str:
        return _canonical(
            model=_changed(self._architecture(wildcards), seed=self.study.models[wildcards.model].seed),
            training=self.study.zoo[wildcards.model],
            data=self._training_data(wildcards),
        )

    def _architecture(self, wildcards: Wildcards) -> ModelSettings:
        """A model without where its weights come from, and how it is run."""
        model = self.study.models[wildcards.model]
        return _changed(model, build="initial", checkpoint=None, seed=1, beam_width=1)

    def _training_data(self, wildcards: Wildcards) -> dict[str, Any]:
        """What a model learns from, in which amounts."""
        data = self.study.data[self.study.models[wildcards.model].data]
        return self._examples(wildcards) | data.model_dump(mode="json", include={"train", "calibration", "seed"})

    def _last_technique(self, wildcards: Wildcards) -> Any:
        return self.study.techniques[wildcards.variant.split("-")[-1]]

    def _retraining(self, wildcards: Wildcards) -> Retraining | None:
        """How a pruned model is retrained; None where it is not."""
        retrained = self.study.models[wildcards.model].trained and self._last_technique(wildcards).retrain
        return self.study.retraining[wildcards.model] if retrained else None


def plan(config: Mapping[str, Any], files: Iterable[str | Path] = ()) -> Plan:
    """The plan of a config, which was read from `files`; ends the program with one line where it is wrong."""
    try:
        for file in files:
            if Path(file).is_file():
                check_keys(file)
        study = load(config)
        _check_files(study)
    except StudyError as error:
        _stop(error)
    return Plan(study, Paths(f"results/{study.study.name}"))


def _check_files(study: Study) -> None:
    """That the files which the selected models need on this machine are there; what `zoo` trains need not be."""
    for name in study.study.models:
        model = study.models[name]
        data = study.data[model.data]
        archive = data.archive if isinstance(data, Wmt) else None
        for key, file in _subword_files(data).items() if archive is None else ():
            where = f"config: data.{model.data}.{key}"
            if not Path(file).is_file():
                raise StudyError(f"{where}: there is no file '{file}'; name an existing one, from {Path.cwd()}")
            if isinstance(data, Wmt):
                check_digest(file, data.md5.get(Path(file).name), "md5")
        if archive is not None:
            _check_source(f"config: data.{model.data}.archive", archive)
        if model.checkpoint and name not in study.zoo:
            _check_source(f"config: models.{name}.checkpoint", model.checkpoint)


def _check_source(where: str, source: Download) -> None:
    if _is_remote(source):
        _check_recorded(where, source)
        return
    with about(where):
        files = _local_files(source)
    if source.sha256 is not None and not (len(files) == 1 and files[0].is_file()):
        raise StudyError(
            f"{where}.sha256: is of one file, but '{source.url}' is several; leave it out, or name an archive"
        )


def _check_recorded(where: str, source: Download) -> None:
    """That a file which has been downloaded is the one that the config has in mind."""
    record = Path(Paths("").download_digest.format(address=_address(source)))
    if source.sha256 is not None and record.is_file():
        found = record.read_text(encoding="utf-8").partition(" ")[0]
        if found != source.sha256:
            raise StudyError(
                f"{where}.sha256: is {source.sha256}, but what was downloaded has {found}; correct it, or delete"
                f" {record.with_suffix('')} and {record} to fetch the file again"
            )


def _local_files(source: Download) -> list[Path]:
    """A folder or file on this machine, or all files of the checkpoint of which it is the prefix or one of them."""
    parts = urlsplit(source.url)
    path = Path(url2pathname(parts.path) if parts.scheme == "file" else source.url)
    return [path] if path.is_dir() else files_of(prefix_of(path))


def _subword_files(data: DataSettings) -> dict[str, str]:
    """The files of a dataset's subwords, in the order of FILES."""
    return {key: file for key in FILES if (file := getattr(data, key, None)) is not None}


def _is_known(source: Download | None) -> bool:
    """Whether the digest of a file is known, be it that of its first use."""
    return source is not None and (source.sha256 is not None or _is_remote(source))


def _is_remote(source: Download) -> bool:
    return urlsplit(source.url).scheme in ("http", "https")


def _address(source: Download) -> str:
    """The place of a file among the downloads: like its address, so that a person finds it."""
    parts = urlsplit(source.url)
    return quote(f"{parts.netloc}{parts.path}" + (f"?{parts.query}" if parts.query else ""), safe="/.")


def _changed(model: ModelSettings, **values: Any) -> ModelSettings:
    """A model with other values of those of the keys that it has."""
    return model.model_copy(update={key: value for key, value in values.items() if hasattr(model, key)})


def _any_of(names: Iterable[str]) -> str:
    """A regular expression for these names; one that fits nothing where there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


def _canonical(**values: Any) -> str:
    def plain(value: Any) -> Any:
        return value.model_dump(mode="json") if hasattr(value, "model_dump") else value

    return json.dumps(values, default=plain, sort_keys=True, separators=(",", ":"))


def _stop(error: StudyError) -> NoReturn:
    print(f"Error: {error}", file=sys.stderr)
    sys.exit(1)
