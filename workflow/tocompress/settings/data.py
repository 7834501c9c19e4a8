"""The config's `data`: the sets that models are evaluated on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from tocompress.settings.base import Count, Download, Md5, Settings, Share

Split = Literal["train", "calibration", "test"]
Language = Annotated[str, Field(pattern="^[a-z]{2,3}$")]
_SPLITS = {"train", "calibration", "test"}
_MARKUP = (".sgm", ".sgml", ".xml")


def is_markup(file: str | Path) -> bool:
    """Return whether a file holds its sentences in <seg>, as the files of WMT and IWSLT do."""
    return str(file).lower().endswith(_MARKUP)


class _Made(Settings):
    """A dataset that `write_split` of `module` makes here. All its splits have the same seed."""

    module: ClassVar[str]
    task: ClassVar[str]
    splits: ClassVar[Literal["images", "sentences"]]  # the files of its splits

    @property
    def has_training(self) -> bool:
        return True

    def of_split(self, split: Split) -> str:
        """Return the settings that one split depends on: all but the sizes of the other splits."""
        return self.canonical(exclude=_SPLITS - {split})

    def of_examples(self) -> dict[str, Any]:
        """Return the settings that a model's use of examples depends on. A job's inputs tell which examples it uses."""
        return self.model_dump(mode="json", exclude={*_SPLITS, "seed"})


class Glyphs(_Made):
    """Characters rendered from fonts under random distortion, made here."""

    module: ClassVar = "tocompress.data.glyphs"
    task: ClassVar = "classification"
    splits: ClassVar = "images"
    classes: ClassVar = 100

    kind: Literal["glyphs"]
    seed: int = Field(1, ge=0, description="seed of the images")
    size: int = Field(32, ge=16, le=512, description="height and width of an image in pixels")
    train: Count = Field(40_000, description="images for training")
    calibration: Count = Field(2_000, description="images held out to watch training and to rank filters")
    test: Count = Field(2_000, description="images that accuracy is judged on")


class NumberPhrases(_Made):
    """English number, date, price and time phrases with their German translations, made here."""

    module: ClassVar = "tocompress.data.number_phrases"
    task: ClassVar = "translation"
    splits: ClassVar = "sentences"

    kind: Literal["number_phrases"]
    seed: int = Field(1, ge=0, description="seed of the phrases")
    train: Count = Field(60_000, description="pairs for training")
    calibration: Count = Field(1_000, description="pairs held out to watch training and to rank units")
    test: Count = Field(600, description="pairs that accuracy is judged on")
    codes: str = Field(description="file of byte pair encodings")
    source_vocabulary: str = Field(description="file of source subwords, one per line")
    target_vocabulary: str = Field(description="file of target subwords, one per line")

    def of_split(self, split: Split) -> str:
        """Return the settings that one split depends on. Its sentences are split into subwords later."""
        files = dict.fromkeys(("codes", "source_vocabulary", "target_vocabulary"), "")
        return self.model_copy(update=files).canonical(exclude=_SPLITS - {split})


class ImageNet(Settings):
    """Photographs of ILSVRC2012, in any of the usual layouts (see `data.imagenet`)."""

    task: ClassVar = "classification"
    module: ClassVar = None
    splits: ClassVar = "photographs"

    kind: Literal["imagenet"]
    images: str = Field(
        description="validation images: ILSVRC2012_img_val.tar, a folder with a folder for each synset, a folder of"
        " images, or a folder of TF-Slim's TFRecords"
    )
    labels: str | None = Field(
        None,
        description="labels, if `images` lacks them: ILSVRC2012_devkit_t12.tar.gz or its folder, a text file of the"
        " synset of each image in the order of names, or a CSV of `file` and `synset` or `label` (0..999)",
    )
    training: str | None = Field(
        None, description="training images for retraining: ILSVRC2012_img_train.tar, folders of synsets, or TFRecords"
    )
    train: Count | None = Field(None, description="number of training images, drawn at random (null: all)")
    calibration: Count = Field(2_000, description="number of training images that are held out for calibration")
    test: Count | None = Field(None, description="number of validation images, spread evenly (null: all)")
    seed: int = Field(1, ge=0, description="seed of the random draws")

    @property
    def has_training(self) -> bool:
        return self.training is not None

    def of_split(self, split: Split) -> str:
        """Return the settings that one split depends on."""
        files: dict[str, Any] = {"training": None} if split == "test" else {"images": "", "labels": None}
        return self.model_copy(update=files | _others(split)).canonical()

    def of_examples(self) -> dict[str, Any]:
        """Return the settings that a model's use of examples depends on. A job's inputs tell which examples it uses."""
        return {"kind": self.kind, "images": ""}


def _folder_or_share(test: object) -> object:
    is_share = isinstance(test, float) and 0 < test < 1
    if not (is_share or test is None or isinstance(test, str)):
        raise ValueError("a folder, a CSV, or a share between 0 and 1 is needed, such as 0.2")
    return test


def _names_or_file(classes: object) -> object:
    if classes is None or isinstance(classes, str):
        return classes
    if not (isinstance(classes, list | tuple) and all(isinstance(name, str) and name for name in classes)):
        raise ValueError("a list of names, with numbers in quotes, or a text file of a name a line is needed")
    if twice := [name for name in classes if classes.count(name) > 1]:
        raise ValueError(f"'{twice[0]}' is given twice; name each class once")
    return classes


class Preprocessing(Settings):
    """The way in which a picture becomes the input of a network. Its pixels are 0 to 255."""

    resize: Literal["crop", "stretch", "pad"] = Field(
        "crop",
        description="how a picture gets the input's size. `crop` takes the largest box of the input's aspect from its"
        " middle. `stretch` changes its aspect. `pad` adds black bars. Resizing is bilinear, without aliasing",
    )
    scale: tuple[float, float] = Field(description="values of black and of white, such as [-1, 1], [0, 1] or [0, 255]")
    mean: tuple[float, ...] | None = Field(
        None, description="a number for each channel of the input, subtracted after `scale` (null: none)"
    )
    deviation: tuple[Annotated[float, Field(gt=0)], ...] | None = Field(
        None, description="a number for each channel of the input, divided by after `mean` (null: none)"
    )
    order: Literal["rgb", "bgr"] = Field("rgb", description="order of the channels of the input")

    @property
    def changes_pixels(self) -> bool:
        """Return whether pixels get other values than 0 to 255."""
        return self.scale != (0, 255) or self.mean is not None or self.deviation is not None

    @model_validator(mode="after")
    def _fits(self) -> Preprocessing:
        if self.scale[0] == self.scale[1]:
            raise ValueError(f"scale: makes every picture {self.scale[0]:g}; give two numbers, such as [-1, 1]")
        for key, numbers in (("mean", self.mean), ("deviation", self.deviation)):
            if numbers is not None and len(numbers) not in (1, 3):
                raise ValueError(f"{key}: {len(numbers)} numbers, but pictures have 1 channel or 3; give one for each")
        return self


class Folders(Settings):
    """Pictures of one's own, in a folder for each class or in a CSV (see `data.folders`)."""

    task: ClassVar = "classification"
    module: ClassVar = None
    splits: ClassVar = "pictures"

    kind: Literal["folders"]
    train: str | None = Field(
        None,
        description="training pictures (null: no training): a folder with a folder for each class, or a CSV of `file`"
        " and `label`. Its paths begin in its folder",
    )
    test: Annotated[str | float | None, BeforeValidator(_folder_or_share)] = Field(
        None,
        description="test pictures: likewise, or a share of `train`, which is drawn from each class",
    )
    classes: Annotated[tuple[str, ...] | str | None, BeforeValidator(_names_or_file)] = Field(
        None,
        description="classes in the order of the model's outputs: a list, or a text file of a name a line. With null,"
        " names of folders are sorted as text. Labels of a CSV are sorted as numbers where all are numbers",
    )
    calibration: Share = Field(0.1, description="share of the training pictures of each class that is held out")
    unreadable: float = Field(
        0.0, ge=0, lt=1, description="share of unreadable files that is tolerated. The log names them"
    )
    preprocessing: Preprocessing | None = Field(
        None, description="preprocessing of the network's training (null: TF-Slim's, for its networks)"
    )
    seed: int = Field(1, ge=0, description="seed of the random draws")

    @property
    def has_training(self) -> bool:
        return self.train is not None

    def of_split(self, split: Split) -> str:
        """Return the settings that one split depends on. The folder of `train` names the classes of `test`."""
        values: dict[str, Any] = {"preprocessing": None}
        if split == "test":
            values |= {"calibration": 0.1} | ({} if isinstance(self.test, float) else {"seed": 0})
        elif not isinstance(self.test, float):
            values["test"] = None
        return self.model_copy(update=values).canonical()

    def of_examples(self) -> dict[str, Any]:
        """Return the settings that a model's use of examples depends on. A job's inputs tell which examples it uses."""
        return self.model_dump(mode="json", include={"kind", "preprocessing"})


class Wmt(Settings):
    """A test set of WMT with its vocabularies, and a training set for retraining (see `data.wmt`)."""

    task: ClassVar = "translation"
    module: ClassVar = None
    splits: ClassVar = "sentences"

    kind: Literal["wmt"]
    archive: Download | None = Field(None, description="archive that holds the files below (null: they are paths)")
    languages: tuple[Language, Language] = Field(
        ("en", "de"), description="source and target language, as Moses' tokenizer names them"
    )
    source: str = Field(description="test sentences: .sgm or .xml from WMT or IWSLT, or text, one per line")
    reference: str = Field(description="translations of the test sentences, in the same kind of file")
    text: Literal["raw", "tokenized", "subwords"] = Field(
        "raw", description="content of text files: sentences, Moses' tokens, or their subwords (.sgm and .xml are raw)"
    )
    codes: str | None = Field(None, description="file of byte pair encodings (null if `text` is subwords)")
    source_vocabulary: str = Field(description="file of source subwords, one per line")
    target_vocabulary: str = Field(description="file of target subwords, one per line")
    md5: dict[str, Md5] = Field({}, description="known digests of the files, by name")
    training: tuple[str, str] | None = Field(
        None, description="training sentences and their translations, for retraining: text files like the others"
    )
    train: Count | None = Field(None, description="number of training pairs, drawn at random (null: all)")
    calibration: Count = Field(2_000, description="number of training pairs that are held out for calibration")
    test: Count | None = Field(None, description="number of test sentences, from the first one on (null: all)")
    seed: int = Field(1, ge=0, description="seed of the random draws")

    @model_validator(mode="after")
    def _text_becomes_subwords_once(self) -> Wmt:
        subwords = self.text == "subwords"
        if subwords and (self.codes or is_markup(self.source) or is_markup(self.reference)):
            raise ValueError("text 'subwords' takes no .sgm, no .xml and no codes, which would split it again")
        if not subwords and self.codes is None:
            raise ValueError(f"text '{self.text}' needs codes, the file of its byte pair encodings")
        files = (self.source, self.reference, self.codes, self.source_vocabulary, self.target_vocabulary)
        names = {Path(file).name for file in (*files, *(self.training or ())) if file}
        for name in self.md5:
            if self.source and name not in names:
                raise ValueError(f"md5: '{name}' is none of the files; there is {', '.join(sorted(names))}")
        return self

    @property
    def has_training(self) -> bool:
        return self.training is not None

    def of_split(self, split: Split) -> str:
        """Return the settings that one split depends on."""
        read = (self.source, self.reference) if split == "test" else self.training or ()
        names = {Path(file).name for file in read}
        files: dict[str, Any] = {"training": None} if split == "test" else {"source": "", "reference": ""}
        files["md5"] = {name: digest for name, digest in self.md5.items() if name in names}
        subwords = {"codes": self.codes and "", "source_vocabulary": "", "target_vocabulary": ""}
        return self.model_copy(update={"archive": None} | files | subwords | _others(split)).canonical()

    def of_examples(self) -> dict[str, Any]:
        """Return the settings that a model's use of examples depends on. A job's inputs tell which examples it uses."""
        kept = {"kind", "languages", "text", "codes", "source_vocabulary", "target_vocabulary"}
        return {"source": "", "reference": "", **self.model_dump(mode="json", include=kept)}


def _others(split: Split) -> dict[str, Any]:
    """Return fixed values for settings that a split ignores. Training and calibration draw from the same examples."""
    if split == "test":
        return {"train": None, "calibration": 1, "seed": 0}
    return {"test": None} | ({"train": None} if split == "calibration" else {})


Pictures = Glyphs | ImageNet | Folders
Sentences = NumberPhrases | Wmt
DataSettings = Annotated[Glyphs | NumberPhrases | ImageNet | Folders | Wmt, Field(discriminator="kind")]
