"""Acquire: the files from elsewhere, the datasets, and the uncompressed weights of each model."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from tocompress.checkpoints.prefix import files_of, prefix_of
from tocompress.errors import StudyError, about
from tocompress.files import check_digest
from tocompress.paths import Paths
from tocompress.plan.base import Parameters, Stage, Wildcards, any_of, canonical, changed, stop, subword_files
from tocompress.settings.base import Download
from tocompress.settings.data import Folders, ImageNet, Wmt
from tocompress.settings.model import Checkpoint, KerasModel, TranslationModel
from tocompress.settings.study import Study


class Acquire(Stage):
    """The rules of rules/acquire.smk."""

    # Rule download

    @property
    def downloads(self) -> dict[str, Download]:
        """Return the sources of the files that are not on this machine, by their place among the downloads."""
        found: dict[str, Download] = {}
        for name in self.study.study.models:
            model = self.study.models[name]
            data = self.study.data[model.data]
            checkpoint = None if isinstance(model, KerasModel) else model.checkpoint
            for source in (checkpoint, data.archive if isinstance(data, Wmt) else None):
                if source is not None and _is_remote(source):
                    found[_address(source)] = source
        return found

    @property
    def addresses(self) -> str:
        """Return a pattern of the places of the downloads."""
        return any_of(self.downloads)

    # Rule extract

    @property
    def archived(self) -> str:
        """Return a pattern of the datasets whose files are in an archive."""
        return any_of(name for name, data in self.study.data.items() if isinstance(data, Wmt) and data.archive)

    def archive(self, wildcards: Wildcards) -> list[str]:
        return self._files_of(self._wmt(wildcards).archive)

    def archive_digest(self, wildcards: Wildcards) -> list[str]:
        return self._digest_of(self._wmt(wildcards).archive)

    @property
    def extract(self) -> Parameters:
        return self.parameters("extract.py", self._member)

    def _member(self, wildcards: Wildcards) -> str:
        """Return the digests of a file in an archive, and of the archive where it is not a download."""
        data = self._wmt(wildcards)
        assert data.archive is not None  # by the rule's constraint
        archive = None if _is_remote(data.archive) else data.archive.sha256
        return canonical(member=data.md5.get(Path(wildcards.member).name), archive=archive)

    # Rules images, sentences, photographs, pictures and corpus

    def datasets(self, kind: str) -> str:
        """Return a pattern of the datasets of a kind."""
        return any_of(name for name, data in self.study.data.items() if data.kind == kind)

    def made(self, splits: str) -> str:
        """Return a pattern of the datasets that are made here and have such splits: images or sentences."""
        data = self.study.data
        return any_of(name for name in data if data[name].module and data[name].splits == splits)

    @property
    def split(self) -> Parameters:
        return self.parameters("make_split.py", self._split, lambda job: [str(self.study.data[job.dataset].module)])

    @property
    def photographs(self) -> Parameters:
        return self.parameters("find_photographs.py", self._split)

    @property
    def pictures(self) -> Parameters:
        return self.parameters("find_pictures.py", self._split)

    @property
    def corpus(self) -> Parameters:
        return self.parameters("read_corpus.py", self._split)

    def _split(self, wildcards: Wildcards) -> str:
        """Return the settings of one split of a dataset."""
        return self.study.data[wildcards.dataset].of_split(wildcards.split)

    def photograph_files(self, wildcards: Wildcards) -> list[str]:
        """Return the files that hold the photographs of a split.

        End the program where one is missing, unless the split was read earlier.
        """
        data = self._imagenet(wildcards)
        files = (data.images, data.labels) if wildcards.split == "test" else (data.training,)
        if any(file is not None and not Path(file).exists() for file in files):
            from tocompress.data.imagenet import missing_photographs

            self._report_missing(wildcards, missing_photographs(data))
        return [file for file in files[:1] if file is not None]

    def label_files(self, wildcards: Wildcards) -> list[str]:
        """Return the file of labels of the test images, where the images do not have their own."""
        labels = self._imagenet(wildcards).labels
        return [labels] if labels is not None and wildcards.split == "test" else []

    def picture_files(self, wildcards: Wildcards) -> list[str]:
        """Return the folders or CSVs that hold the pictures of a split and name their classes.

        End the program as `photograph_files` does.
        """
        data = self._folders(wildcards)
        own = isinstance(data.test, str) and wildcards.split == "test"
        sources = (data.test if own else None, data.train if data.classes is None or not own else None)
        files = [source for source in sources if isinstance(source, str)]
        if missing := [file for file in files if not Path(file).exists()]:
            self._report_missing(wildcards, f"there is no folder or CSV '{missing[0]}' in {Path.cwd()}")
        return files

    def class_file(self, wildcards: Wildcards) -> list[str]:
        """Return the file of the names of classes, where there is one. End the program as `photograph_files` does."""
        classes = self._folders(wildcards).classes
        if not isinstance(classes, str):
            return []
        self._check_texts(wildcards, [classes])
        return [classes]

    def listing(self, wildcards: Wildcards) -> str:
        """Return the digest of a split's files. The job is due when one changes."""
        from tocompress.data.folders import listing_digest

        try:
            with about(f"data.{wildcards.dataset}"):
                return listing_digest(self._folders(wildcards), wildcards.split)
        except StudyError as error:
            stop(error)

    def test_texts(self, wildcards: Wildcards) -> list[str]:
        """Return the sources and references of the test set. End the program as `photograph_files` does."""
        data = self._wmt(wildcards)
        files = (data.source, data.reference) if wildcards.split == "test" else ()
        if data.archive is None:
            self._check_texts(wildcards, files)
        return [self.file(wildcards.dataset, file) for file in files]

    def training_texts(self, wildcards: Wildcards) -> list[str]:
        """Return the files to draw training and calibration set from. End the program as `photograph_files` does."""
        files = self._wmt(wildcards).training if wildcards.split != "test" else None
        self._check_texts(wildcards, files or ())
        return list(files or ())

    def _check_texts(self, wildcards: Wildcards, files: Iterable[str]) -> None:
        if missing := [file for file in files if not Path(file).is_file()]:
            self._report_missing(wildcards, f"there is no file '{missing[0]}'; name an existing one, from {Path.cwd()}")

    def _report_missing(self, wildcards: Wildcards, problem: str) -> None:
        """End the program. Where the split has been read already, only say that it is kept."""
        split = self.paths.sentences.format(dataset=wildcards.dataset, split=wildcards.split)
        if not Path(split).is_file():
            stop(StudyError(f"data.{wildcards.dataset}: {problem}"))
        print(f"data.{wildcards.dataset}: {problem}; {split} is taken as it is", file=sys.stderr)

    def _imagenet(self, wildcards: Wildcards) -> ImageNet:
        data = self.study.data[wildcards.dataset]
        assert isinstance(data, ImageNet)  # by the rule's constraint
        return data

    def _folders(self, wildcards: Wildcards) -> Folders:
        data = self.study.data[wildcards.dataset]
        assert isinstance(data, Folders)  # by the rule's constraint
        return data

    def _wmt(self, wildcards: Wildcards) -> Wmt:
        data = self.study.data[wildcards.dataset]
        assert isinstance(data, Wmt)  # by the rule's constraint
        return data

    # Rules acquire and import_model

    @property
    def networks(self) -> str:
        """Return a pattern of the models of the study's eleven networks."""
        return any_of(name for name, model in self.study.models.items() if not isinstance(model, KerasModel))

    @property
    def own(self) -> str:
        """Return a pattern of the models that the user brings as files."""
        return any_of(name for name, model in self.study.models.items() if isinstance(model, KerasModel))

    def model_files(self, wildcards: Wildcards) -> list[str]:
        """Return the file of a model of one's own, or all files of its folder."""
        model = self.model(wildcards)
        assert isinstance(model, KerasModel)  # by the rule's constraint
        path = Path(model.file)
        return sorted(str(file) for file in path.rglob("*") if file.is_file()) if path.is_dir() else [model.file]

    def model_listing(self, wildcards: Wildcards) -> str:
        """Return the digest of the files' names, sizes and times. An older file may take the place of a newer one."""
        states = [(file, os.stat(file)) for file in self.model_files(wildcards) if Path(file).is_file()]
        listing = [(file, state.st_size, state.st_mtime_ns) for file, state in states]
        return hashlib.sha256(repr(listing).encode()).hexdigest()

    @property
    def import_model(self) -> Parameters:
        return self.parameters("import_model.py", self._model_file)

    def _model_file(self, wildcards: Wildcards) -> str:
        return canonical(file=getattr(self.model(wildcards), "file", ""))

    def checked_checkpoint(self, wildcards: Wildcards) -> list[str]:
        """Return the files of a model's checkpoint with a known digest, so that their age does not matter."""
        checkpoint = self._checkpoint(wildcards)
        return self._files_of(checkpoint) if _is_known(checkpoint) else []

    def unchecked_checkpoint(self, wildcards: Wildcards) -> list[str]:
        """Return the files of a model's checkpoint without a known digest."""
        checkpoint = self._checkpoint(wildcards)
        return [] if _is_known(checkpoint) else self._files_of(checkpoint)

    def checkpoint_digest(self, wildcards: Wildcards) -> list[str]:
        return self._digest_of(self._checkpoint(wildcards))

    def _checkpoint(self, wildcards: Wildcards) -> Checkpoint | None:
        model = self.model(wildcards)
        assert not isinstance(model, KerasModel)  # by the rule's constraint
        return model.checkpoint

    def vocabularies(self, wildcards: Wildcards) -> list[str]:
        """Return the vocabularies of a translation model's data, where they tell the number of its subwords."""
        model = self.model(wildcards)
        told = not isinstance(model, TranslationModel) or (model.source_vocabulary and model.target_vocabulary)
        files = subword_files(self.study.data[model.data])
        return [] if told else [self.file(model.data, files[f"{side}_vocabulary"]) for side in ("source", "target")]

    @property
    def acquire(self) -> Parameters:
        return self.parameters("acquire.py", self._uncompressed, self.network)

    def _uncompressed(self, wildcards: Wildcards) -> str:
        """Return the settings that a model's uncompressed weights depend on."""
        model = self.model(wildcards)
        assert not isinstance(model, KerasModel)  # by the rule's constraint
        if model.checkpoint is not None:
            # The digest of a download has been checked by the rule that fetched it.
            kept = {"file"} if _is_remote(model.checkpoint) else {"file", "sha256"}
            checkpoint = Checkpoint(url="", **model.checkpoint.model_dump(include=kept))
            model = changed(model, build="own", checkpoint=checkpoint, seed=1)
        return changed(model, beam_width=1).canonical()

    def _files_of(self, source: Download | None) -> list[str]:
        """Return the files on this machine that the config names by `source`."""
        if source is None:
            return []
        if _is_remote(source):
            return [self.paths.download.format(address=_address(source))]
        return list(map(str, _local_files(source)))

    def _digest_of(self, source: Download | None) -> list[str]:
        """Return the recorded digest of a download. As an input, it makes the job check a file brought by hand too."""
        if source is None or not _is_remote(source):
            return []
        return [self.paths.download_digest.format(address=_address(source))]


def check_files(study: Study) -> None:
    """Raise StudyError unless this machine has the files of the selected models. `zoo` checkpoints may be missing."""
    for name in study.study.models:
        model = study.models[name]
        data = study.data[model.data]
        archive = data.archive if isinstance(data, Wmt) else None
        for key, file in subword_files(data).items() if archive is None else ():
            where = f"config: data.{model.data}.{key}"
            if not Path(file).is_file():
                raise StudyError(f"{where}: there is no file '{file}'; name an existing one, from {Path.cwd()}")
            if isinstance(data, Wmt):
                check_digest(file, data.md5.get(Path(file).name), "md5")
        if archive is not None:
            _check_source(f"config: data.{model.data}.archive", archive)
        if isinstance(model, KerasModel):
            if not Path(model.file).exists():
                where = f"config: models.{name}.file"
                raise StudyError(f"{where}: there is no '{model.file}'; name an existing one, from {Path.cwd()}")
        elif model.checkpoint and name not in study.zoo:
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
    """Raise StudyError where a downloaded file is not the file of the config."""
    record = Path(Paths("").download_digest.format(address=_address(source)))
    if source.sha256 is not None and record.is_file():
        found = record.read_text(encoding="utf-8").partition(" ")[0]
        if found != source.sha256:
            raise StudyError(
                f"{where}.sha256: is {source.sha256}, but what was downloaded has {found}; correct it, or delete"
                f" {record.with_suffix('')} and {record} to fetch the file again"
            )


def _local_files(source: Download) -> list[Path]:
    """Return a folder or file on this machine, or all files of a checkpoint if the source names one of them."""
    parts = urlsplit(source.url)
    path = Path(url2pathname(parts.path) if parts.scheme == "file" else source.url)
    return [path] if path.is_dir() else files_of(prefix_of(path))


def _is_known(source: Download | None) -> bool:
    """Return whether the digest of a file is known. The first use of a download makes it known."""
    return source is not None and (source.sha256 is not None or _is_remote(source))


def _is_remote(source: Download) -> bool:
    return urlsplit(source.url).scheme in ("http", "https")


def _address(source: Download) -> str:
    """Return the place of a file among the downloads. It is like the file's address, so that a person finds it."""
    parts = urlsplit(source.url)
    return quote(f"{parts.netloc}{parts.path}" + (f"?{parts.query}" if parts.query else ""), safe="/.")
