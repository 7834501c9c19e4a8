"""Turn sentences into the inputs of a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from tocompress.data.sets import read_sentences
from tocompress.data.subwords import Segmentation, Vocabulary, decode, joined, pad, words
from tocompress.errors import StudyError
from tocompress.runtimes.feeds import Feeds
from tocompress.settings.data import Sentences, Wmt
from tocompress.settings.jobs import InputsJob
from tocompress.settings.model import TranslationModel
from tocompress.tasks.feeds import batches, spread

LONGEST_TRANSLATION = 2  # times the longest source of a batch, as in tensorflow/nmt


@dataclass(frozen=True)
class Subwords:
    """The conversion between the sentences of a translation model and its token ids.

    `segmentations` split the tokens of source and target. With None, sentences already are subwords between spaces.
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
        """Return the sentence that target ids spell, up to the first </s>."""
        return decode(self.target.to_tokens(ids))

    def reference(self, sentence: str) -> str:
        """Return a sentence of the target as tokens, to compare a translation with."""
        return sentence if self.segmentations else joined(sentence)


def read_subwords(model: TranslationModel, data: Sentences) -> Subwords:
    """Read the codes and vocabularies of `data`. Raise StudyError where a size differs from the model's.

    An untrained model may have more subwords than the vocabulary. Its ids mean nothing and only have to exist.
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


def sentence_feeds(sentences: Sequence[str], subwords: Subwords) -> Feeds:
    """Return feeds of source sentences, to translate freely up to twice the length of the longest.

    The feeds are `source` int32 [B, T], `source_length` int32 [B], `maximum_length` int32 [] and `forced` bool [].
    """
    source, length = pad([subwords.source_ids(sentence) for sentence in sentences])
    longest = np.array(LONGEST_TRANSLATION * source.shape[1], np.int32)
    return {"source": source, "source_length": length, "maximum_length": longest, "forced": np.array(False)}


def benchmark_inputs(split: str | Path, job: InputsJob) -> dict[str, Feeds]:
    """Return the job's inputs of a split, spread over its lengths in subwords, by their names (`tasks.feeds.batches`).

    An untrained model never ends a sentence by itself, so it is forced to the length of the longest reference.
    """
    model = cast(TranslationModel, job.model)
    sentences, subwords = read_sentences(split), read_subwords(model, cast(Sentences, job.data))
    tokens = np.array([len(subwords.source_ids(source)) for source in sentences["source"]])
    chosen = np.argsort(tokens, kind="stable")[spread(len(sentences), job.count, split)]
    inputs = {}
    for name, examples in batches(chosen, job.batches, "s").items():
        feeds = sentence_feeds(sentences["source"].iloc[examples].tolist(), subwords)
        if not model.trained:
            references = sentences["reference"].iloc[examples]
            length = np.array(max(len(subwords.target_ids(reference)) for reference in references), np.int32)
            feeds |= {"maximum_length": length, "forced": np.array(True)}
        inputs[name] = feeds
    return inputs
