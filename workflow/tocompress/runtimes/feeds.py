"""From examples to what an artifact's placeholders take, and the fixed inputs of a benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tocompress.data.pictures import Images, network_input, read_pictures
from tocompress.data.sets import read_sentences
from tocompress.data.subwords import Segmentation, Vocabulary, decode, joined, pad, words
from tocompress.errors import StudyError
from tocompress.files import replace_on_success
from tocompress.settings.data import DataSettings, Pictures, Sentences, Wmt
from tocompress.settings.model import ImageModel, ModelSettings, TranslationModel

#: Placeholder -> array.
Feeds = dict[str, np.ndarray]

LONGEST_TRANSLATION = 2  # times the longest source of a batch, as in tensorflow/nmt


@dataclass(frozen=True)
class Subwords:
    """Between the sentences of a translation model and its token ids.

    `segmentations` split the tokens of source and target; None: sentences are subwords between spaces already.
    """

    source: Vocabulary
    target: Vocabulary
    segmentations: tuple[Segmentation, Segmentation] | None

    def source_ids(self, sentence: str) -> list[int]:
        return self.source.to_ids(self._split(sentence, 0))

    def target_ids(self, sentence: str) -> list[int]:
        return self.target.to_ids(self._split(sentence, 1))

    def _split(self, sentence: str, side: int) -> list[str]:
        return self.segmentations[side].encode(sentence) if self.segmentations else words(sentence)

    def translation(self, ids: Iterable[int]) -> str:
        """The sentence that target ids spell, up to the first </s>."""
        return decode(self.target.to_tokens(ids))

    def reference(self, sentence: str) -> str:
        """What a translation is compared with: a sentence of the target as tokens."""
        return sentence if self.segmentations else joined(sentence)


def read_subwords(model: TranslationModel, data: Sentences) -> Subwords:
    """Read the codes and vocabularies of `data`; a StudyError where a size is not the model's.

    An untrained model may have more subwords than the vocabulary: its ids mean nothing, they only have to exist.
    """

    def vocabulary(side: str) -> Vocabulary:
        file, size = getattr(data, side), getattr(model, side)
        found = Vocabulary.read(Path(file))
        if size is not None and (len(found) > size or (model.trained and len(found) != size)):
            why = (
                "one of another size is from another training run, where every id means another subword: name the"
                " vocabulary that the checkpoint was trained with"
                if model.trained
                else f"raise the model's {side} to that"
            )
            raise StudyError(f"{file}: holds {len(found)} subwords, the model has {size}; {why}")
        return found

    try:
        source, target = vocabulary("source_vocabulary"), vocabulary("target_vocabulary")
        return Subwords(source, target, _segmentations(data, source, target))
    except OSError as error:
        raise StudyError(
            f"{error.filename}: not readable ({error.strerror}); name it right in the config's `data`"
        ) from error


def _segmentations(data: Sentences, source: Vocabulary, target: Vocabulary) -> tuple[Segmentation, Segmentation] | None:
    if data.codes is None:
        return None
    known = (None, None) if isinstance(data, Wmt) else (source, target)  # as in tensorflow/nmt, the rest is unknown
    codes = Path(data.codes)
    return Segmentation.read(codes, known[0]), Segmentation.read(codes, known[1])


def image_feeds(images: Images, model: ImageModel, threads: int = 1) -> Feeds:
    """Feeds of images: `input` float32 [B, S, S, 3], S the model's input size."""
    return {"input": network_input(images, model, threads)}


def sentence_feeds(sentences: Sequence[str], subwords: Subwords) -> Feeds:
    """Feeds of source sentences, to translate freely up to twice the longest of them.

    `source` int32 [B, T], `source_length` int32 [B], `maximum_length` int32 [], `forced` bool [].
    """
    source, length = pad([subwords.source_ids(sentence) for sentence in sentences])
    longest = np.array(LONGEST_TRANSLATION * source.shape[1], np.int32)
    return {"source": source, "source_length": length, "maximum_length": longest, "forced": np.array(False)}


def benchmark_inputs(
    path: str | Path,
    model: ModelSettings,
    data: DataSettings,
    split: str | Path,
    count: int,
) -> None:
    """Write `count` inputs of the split at `split`, of batch 1, to the .npz `path` as `{input_id}/{placeholder}`.

    Images `i00`, ... are spread over the set, sentences `s00`, ... over its lengths. An untrained translation model
    never ends a sentence by itself: it is forced to the length of the reference, in subwords.
    """
    if isinstance(model, ImageModel) and isinstance(data, Pictures):
        inputs = _images(read_pictures(split, model, data)[0], model, split, count)
    elif isinstance(model, TranslationModel) and isinstance(data, Sentences):
        inputs = _sentences(read_sentences(split), model, data, split, count)
    else:
        raise StudyError(f"{split}: {model.network} cannot take inputs from data of kind '{data.kind}'")
    arrays = {f"{name}/{key}": array for name, feeds in inputs.items() for key, array in feeds.items()}
    with replace_on_success(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # mypy takes the names for savez's own options


def _images(images: Images, model: ImageModel, split: str | Path, count: int) -> dict[str, Feeds]:
    chosen = _spread(len(images), count, split)
    return {f"i{number:02d}": image_feeds(images[index : index + 1], model) for number, index in enumerate(chosen)}


def _sentences(
    sentences: pd.DataFrame, model: TranslationModel, data: Sentences, split: str | Path, count: int
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
