"""From examples to what an artifact's placeholders take, and the fixed inputs of a benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from tocompress.data.preprocessing import preprocess
from tocompress.data.sets import read_images, read_sentences
from tocompress.data.subwords import Segmentation, Vocabulary, decode, pad
from tocompress.errors import StudyError
from tocompress.models.registry import NETWORKS
from tocompress.settings.data import Glyphs, NumberPhrases
from tocompress.settings.model import ImageModel, TranslationModel
from tocompress.tables import replace_on_success

#: Placeholder -> array.
Feeds = dict[str, np.ndarray]

LONGEST_TRANSLATION = 2  # times the longest source of a batch, as in tensorflow/nmt


@dataclass(frozen=True)
class Subwords:
    """Between the sentences of a translation model and its token ids."""

    codes: str
    source: Vocabulary
    target: Vocabulary

    @cached_property
    def _segmentations(self) -> tuple[Segmentation, Segmentation]:
        """Of the source and of the target, each with its vocabulary, so that no known character becomes <unk>."""
        return Segmentation(self.codes, self.source), Segmentation(self.codes, self.target)

    def source_ids(self, sentence: str) -> list[int]:
        return self.source.to_ids(self._segmentations[0].encode(sentence))

    def target_ids(self, sentence: str) -> list[int]:
        return self.target.to_ids(self._segmentations[1].encode(sentence))

    def translation(self, ids: Iterable[int]) -> str:
        """The sentence that target ids spell, up to the first </s>."""
        return decode(self.target.to_tokens(ids))


def read_subwords(model: TranslationModel, data: NumberPhrases) -> Subwords:
    """Read the codes and vocabularies of `data`; a StudyError where a size is not the model's.

    An untrained model may have more subwords than the vocabulary: its ids mean nothing, they only have to exist.
    """

    def vocabulary(file: str, size: int) -> Vocabulary:
        found = Vocabulary.read(Path(file))
        if len(found) > size or (model.trained and len(found) != size):
            raise StudyError(f"{file}: holds {len(found)} subwords, the model has {size}")
        return found

    try:
        return Subwords(
            Path(data.codes).read_text(encoding="utf-8"),
            vocabulary(data.source_vocabulary, model.source_vocabulary),
            vocabulary(data.target_vocabulary, model.target_vocabulary),
        )
    except OSError as error:
        raise StudyError(
            f"{error.filename}: not readable ({error.strerror}); name it right in the config's `data`"
        ) from error


def image_feeds(images: np.ndarray, model: ImageModel) -> Feeds:
    """Feeds of images, uint8 [B, h, w, 3]: `input` float32 [B, S, S, 3], S the model's input size."""
    kind = NETWORKS[model.network].preprocessing
    assert kind is not None  # every image network has one
    return {"input": preprocess(images, model.input_size, kind)}


def sentence_feeds(sentences: Sequence[str], subwords: Subwords) -> Feeds:
    """Feeds of source sentences, to translate freely up to twice the longest of them.

    `source` int32 [B, T], `source_length` int32 [B], `maximum_length` int32 [], `forced` bool [].
    """
    source, length = pad([subwords.source_ids(sentence) for sentence in sentences])
    longest = np.array(LONGEST_TRANSLATION * source.shape[1], np.int32)
    return {"source": source, "source_length": length, "maximum_length": longest, "forced": np.array(False)}


def benchmark_inputs(
    path: str | Path,
    model: ImageModel | TranslationModel,
    data: Glyphs | NumberPhrases,
    split: str | Path,
    count: int,
) -> None:
    """Write `count` inputs of the split at `split`, of batch 1, to the .npz `path` as `{input_id}/{placeholder}`.

    Images `i00`, ... are spread over the set, sentences `s00`, ... over its lengths. An untrained translation model
    never ends a sentence by itself: it is forced to the length of the reference, in subwords.
    """
    if isinstance(model, ImageModel) and isinstance(data, Glyphs):
        inputs = _images(read_images(split)[0], model, split, count)
    elif isinstance(model, TranslationModel) and isinstance(data, NumberPhrases):
        inputs = _sentences(read_sentences(split), model, data, split, count)
    else:
        raise StudyError(f"{split}: {model.network} cannot take inputs from data of kind '{data.kind}'")
    arrays = {f"{name}/{key}": array for name, feeds in inputs.items() for key, array in feeds.items()}
    with replace_on_success(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # mypy takes the names for savez's own options


def _images(images: np.ndarray, model: ImageModel, split: str | Path, count: int) -> dict[str, Feeds]:
    chosen = _spread(len(images), count, split)
    return {f"i{number:02d}": image_feeds(images[[index]], model) for number, index in enumerate(chosen)}


def _sentences(
    sentences: pd.DataFrame, model: TranslationModel, data: NumberPhrases, split: str | Path, count: int
) -> dict[str, Feeds]:
    subwords = read_subwords(model, data)
    by_length = sentences.assign(tokens=[len(subwords.source_ids(source)) for source in sentences["source"]])
    chosen = by_length.sort_values("tokens", kind="stable").iloc[_spread(len(sentences), count, split)]
    inputs = {}
    for number, (source, reference) in enumerate(zip(chosen["source"], chosen["reference"], strict=True)):
        feeds = sentence_feeds([source], subwords)
        if not model.trained:
            length = np.array(len(subwords.target_ids(reference)), np.int32)
            feeds |= {"maximum_length": length, "forced": np.array(True)}
        inputs[f"s{number:02d}"] = feeds
    return inputs


def _spread(total: int, count: int, split: str | Path) -> np.ndarray:
    """`count` different places of `total`, evenly spread, both ends among them."""
    if count > total:
        raise StudyError(f"{split}: holds {total} examples, the benchmark wants {count} inputs")
    return np.arange(count) * (total - 1) // max(count - 1, 1)
