"""The config's `data`: the sets that models are evaluated on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tocompress.settings.base import Count, Md5, Settings
from tocompress.settings.download import Download


class Glyphs(Settings):
    """Characters rendered from fonts under random distortion; made here."""

    kind: Literal["glyphs"]
    seed: int = Field(1, ge=0)
    size: int = Field(32, ge=16, le=512, description="height and width, pixels")
    train: Count = 40_000
    calibration: Count = 2_000
    test: Count = 2_000


class NumberPhrases(Settings):
    """English number, date, price and time phrases and their German translation; made here."""

    kind: Literal["number_phrases"]
    seed: int = Field(1, ge=0)
    train: Count = 60_000
    calibration: Count = 1_000
    test: Count = 600
    codes: str = Field(description="file of byte pair encodings")
    source_vocabulary: str = Field(description="file of source subwords, one a line")
    target_vocabulary: str = Field(description="file of target subwords, one a line")


class ImageNet(Settings):
    """ILSVRC2012's photographs, in any of the layouts that people keep them in; see `data.imagenet`."""

    kind: Literal["imagenet"]
    images: str = Field(
        description="validation images: ILSVRC2012_img_val.tar, a folder with a folder for each synset, a folder of"
        " images, or a folder of TF-Slim's TFRecords"
    )
    labels: str | None = Field(
        None,
        description="where `images` does not tell them: ILSVRC2012_devkit_t12.tar.gz or its folder, a text file of a"
        " synset for each image in the order of names, or a CSV of `file` and `synset` or `label` (0..999)",
    )
    training: str | None = Field(
        None, description="training images, to retrain on: ILSVRC2012_img_train.tar, folders of synsets, or TFRecords"
    )
    train: Count | None = Field(None, description="how many training images, drawn at random; null: all")
    calibration: Count = Field(2_000, description="how many of the training images are held out from it")
    test: Count | None = Field(None, description="how many validation images, spread evenly; null: all")
    seed: int = Field(1, ge=0, description="of what is drawn")


class Wmt(Settings):
    """A test set of WMT with its vocabularies, and a training set to retrain on; see `data.wmt`."""

    kind: Literal["wmt"]
    archive: Download | None = Field(None, description="what holds the files below; null: they are paths")
    languages: tuple[str, str] = Field(("en", "de"), description="source and target, as Moses' tokenizer names them")
    source: str = Field(description="test sentences: .sgm as WMT has them, or text, one a line")
    reference: str = Field(description="their translation, likewise")
    text: Literal["raw", "tokenized", "subwords"] = Field(
        "raw", description="what text files hold: sentences, Moses' tokens, or these as subwords; .sgm is raw"
    )
    codes: str | None = Field(None, description="file of byte pair encodings; null where `text` is subwords")
    source_vocabulary: str = Field(description="file of source subwords, one a line")
    target_vocabulary: str = Field(description="file of target subwords, one a line")
    md5: dict[str, Md5] = Field({}, description="digests of the files above that are known, by name")
    training: tuple[str, str] | None = Field(
        None, description="training sentences and their translation, to retrain on: paths of text files like the others"
    )
    train: Count = Field(200_000, description="how many pairs of the training set, drawn at random")
    calibration: Count = Field(2_000, description="how many of the training set are held out from it")
    test: Count | None = Field(None, description="how many test sentences, the first ones; null: all")
    seed: int = Field(1, ge=0, description="of what is drawn")


Pictures = Glyphs | ImageNet
Sentences = NumberPhrases | Wmt
DataSettings = Annotated[Glyphs | NumberPhrases | ImageNet | Wmt, Field(discriminator="kind")]
