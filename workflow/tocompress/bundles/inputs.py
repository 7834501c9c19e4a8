"""Describe the inputs and the output of an artifact, and how a picture or a sentence becomes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from tocompress.data.classes import names_by_label
from tocompress.data.glyphs import CLASSES
from tocompress.data.imagenet_labels import synset_labels
from tocompress.data.photographs import CENTRAL_SHARE, SHORTER_SIDE
from tocompress.data.pictures import family
from tocompress.data.preprocessing import RGB_MEANS
from tocompress.errors import StudyError
from tocompress.schemas.study import PICTURES
from tocompress.settings.data import (
    DataSettings,
    Folders,
    Glyphs,
    ImageNet,
    NumberPhrases,
    Pictures,
    Preprocessing,
    Wmt,
)
from tocompress.settings.jobs import BundleJob
from tocompress.settings.model import ImageModel, ModelSettings, TranslationModel
from tocompress.tables import read_table
from tocompress.tasks.translation.inputs import LONGEST_TRANSLATION

Facts = dict[str, Any]

#: The parts of a picture that TF-Slim's two families keep.
_SLIM: dict[str, Facts] = {
    "inception": {"fit": "central", "share": CENTRAL_SHARE},
    "vgg": {"fit": "shorter side", "shorter_side": SHORTER_SIDE},
}
_IN_WORDS = {
    "stretch": "is stretched",
    "crop": "is cut to the largest box of the input's aspect in its middle, and resized",
    "pad": "is resized, with black bars where its aspect is another,",
    "central": f"is cut to the middle {CENTRAL_SHARE:.1%} of its height and width, and resized",
    "shorter side": f"is resized to a shorter side of {SHORTER_SIDE} pixels, and cut in its middle",
}
_DECODED = " The study decodes a JPEG by TensorFlow, whose pixels differ by a few levels from Pillow's."
_OPERATIONS = {
    "multiply": "multiplied by {}",
    "add": "increased by {}",
    "subtract": "decreased by {}",
    "divide": "divided by {}",
}


def interface(job: BundleJob) -> Facts:
    """Return the keys `inputs`, `preprocessing` and `output` of a bundle's card."""
    if isinstance(job.model, TranslationModel):
        return _of_sentences(job.model, job.data)
    return _of_pictures(job)


def class_names(model: ModelSettings, data: DataSettings, pictures: Path | None) -> list[str]:
    """Return the name of each output in order, or nothing where the data do not name all of them.

    `pictures` is the table of the test set, where the data are folders.
    """
    names: list[str] = []
    if pictures is not None:
        names = names_by_label(read_table(pictures, PICTURES))
    elif isinstance(data, Glyphs):
        names = [*CLASSES]
    elif isinstance(data, ImageNet):
        names = [*synset_labels()]
    outputs = getattr(model, "classes", 0)
    if isinstance(data, ImageNet) and outputs == len(names) + 1:
        names = ["background", *names]
    return [" ".join(name.splitlines()) for name in names] if len(names) == outputs else []


# Pictures


def _of_pictures(job: BundleJob) -> Facts:
    model, data = cast(ImageModel, job.model), cast(Pictures, job.data)
    height, width, channels = model.shape
    how = _preprocessing(model, data)
    return {
        "inputs": [{"name": "input", "dtype": "float32", "shape": [1, height, width, channels], "holds": "a picture"}],
        "preprocessing": how | {"in_words": _in_words(how, model) + (_DECODED if isinstance(data, ImageNet) else "")},
        "output": {
            "dtype": "float32",
            "shape": [1, model.classes],
            "holds": "a logit of each class. Their softmax is the probabilities",
        },
        "classes": model.classes,
    }


def _preprocessing(model: ImageModel, data: Pictures) -> Facts:
    """Return how a picture becomes the input: its part and size (`fit`), and the operations on its pixels in order."""
    if isinstance(data, Folders) and data.preprocessing is not None:
        return {
            "fit": data.preprocessing.resize,
            "order": data.preprocessing.order,
            "pixels": _pixels(data.preprocessing),
        }
    kind = family(model)
    if kind is None:
        raise StudyError(f"bundle: {model.network} on '{model.data}' has no preprocessing; data needs `preprocessing`")
    rendered = data.splits == "images"
    scaled = [["divide", 127.5], ["subtract", 1.0]]
    if not rendered:  # in the order of TensorFlow's functions
        scaled = [["multiply", 1 / 255], ["subtract", 0.5], ["multiply", 2.0]]
    pixels = scaled if kind == "inception" else [["subtract", RGB_MEANS.tolist()]]
    return ({"fit": "stretch"} if rendered else _SLIM[kind]) | {"order": "rgb", "pixels": pixels}


def _pixels(how: Preprocessing) -> list[list[Any]]:
    """Return the operations of the config's `preprocessing` in their order, without those that change nothing."""
    low, high = how.scale
    steps: list[list[Any]] = [["multiply", (high - low) / 255], ["add", low]]
    steps += [["subtract", list(how.mean)]] if how.mean is not None else []
    steps += [["divide", list(how.deviation)]] if how.deviation is not None else []
    return [step for step in steps if step not in (["multiply", 1], ["add", 0])]


def _in_words(how: Facts, model: ImageModel) -> str:
    height, width, channels = model.shape
    colours = "grey" if channels == 1 else f"in {how['order'].upper()}"
    smooth = "without antialiasing" if how["fit"] in ("central", "shorter side") else "with antialiasing"
    steps = [_OPERATIONS[operation].format(_numbers(number)) for operation, number in how["pixels"]]
    changed = "are " + ", then ".join(steps) if steps else "stay as they are"
    return (
        f"The picture is turned upright, {colours}. It {_IN_WORDS[how['fit']]} to {height} x {width} pixels,"
        f" bilinear and {smooth}. Its pixels, 0 to 255, {changed}."
    )


def _numbers(number: float | list[float]) -> str:
    return f"{number:g}" if isinstance(number, float) else ", ".join(f"{one:g}" for one in number)


# Sentences


def _of_sentences(model: TranslationModel, data: DataSettings) -> Facts:
    codes = getattr(data, "codes", None)
    search = "greedy" if model.beam_width == 1 else f"beam search of width {model.beam_width}"
    return {
        "inputs": [
            {"name": "source", "dtype": "int32", "shape": [1, "T"], "holds": "ids of the subwords of a sentence"},
            {"name": "source_length", "dtype": "int32", "shape": [1], "holds": "their number T"},
            {"name": "maximum_length", "dtype": "int32", "shape": [], "holds": "the most subwords of the translation"},
            {"name": "forced", "dtype": "bool", "shape": [], "holds": "whether it has exactly that many: false"},
        ],
        "preprocessing": {
            "codes": codes is not None,
            "known_subwords_only": isinstance(data, NumberPhrases),
            "in_words": _sentence_in_words(data),
        },
        "output": {
            "dtype": "int32",
            "shape": [1, "T of the target"],
            "holds": f"ids of the translation's subwords, up to </s> (id 2), found by decoding: {search}",
        },
        "classes": None,
    }


def _sentence_in_words(data: DataSettings) -> str:
    text = "subwords between spaces"
    if isinstance(data, NumberPhrases):
        text = "plain words between spaces"
    elif isinstance(data, Wmt) and data.codes is not None:
        text = f"tokens of Moses' tokenizer for '{data.languages[0]}', between spaces"
    split = (
        "The byte pair encoding of codes.bpe splits them." if getattr(data, "codes", None) else "They stay as they are."
    )
    return (
        f"A sentence is {text}. {split} An id is a subword's line in vocabulary.source.txt, from 0."
        f" `maximum_length` is {LONGEST_TRANSLATION} T."
    )
