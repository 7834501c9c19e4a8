"""Acquire: the files from elsewhere, the datasets, and the uncompressed weights of each model."""

from __future__ import annotations

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
from tocompress.settings.data import ImageNet, Wmt
from tocompress.settings.model import Checkpoint, TranslationModel
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
            for source in (model.checkpoint, data.archive if isinstance(data, Wmt) else None):
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

    # Rules images, sentences, photographs and corpus

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

    def _wmt(self, wildcards: Wildcards) -> Wmt:
        data = self.study.data[wildcards.dataset]
        assert isinstance(data, Wmt)  # by the rule's constraint
        return data

    # Rule acquire

    def checked_checkpoint(self, wildcards: Wildcards) -> list[str]:
        """Return the files of a model's checkpoint with a known digest, so that their age does not matter."""
        checkpoint = self.model(wildcards).checkpoint
        return self._files_of(checkpoint) if _is_known(checkpoint) else []

    def unchecked_checkpoint(self, wildcards: Wildcards) -> list[str]:
        """Return the files of a model's checkpoint without a known digest."""
        checkpoint = self.model(wildcards).checkpoint
        return [] if _is_known(checkpoint) else self._files_of(checkpoint)

    def checkpoint_digest(self, wildcards: Wildcards) -> list[str]:
        return self._digest_of(self.model(wildcards).checkpoint)

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
