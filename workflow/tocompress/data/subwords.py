"""Subwords: byte pair encoding as tensorflow/nmt uses it, vocabularies, and batches of token ids.

A subword ends in "@@" when its word continues (R. Sennrich's subword-nmt).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path

import numpy as np
from subword_nmt.apply_bpe import BPE
from subword_nmt.learn_bpe import learn_bpe

from tocompress.errors import StudyError, about
from tocompress.files import replace_on_success

Ids = Sequence[int] | np.ndarray

CONTINUED = "@@"
UNKNOWN, START, END = "<unk>", "<s>", "</s>"
UNKNOWN_ID, START_ID, END_ID = 0, 1, 2


def learn(sentences: Iterable[str], merges: int) -> str:
    """Learn byte pair encoding. Return the text of a codes file: its version, then one merge a line."""
    codes = StringIO()
    learn_bpe(list(sentences), codes, merges)
    return codes.getvalue()


class Segmentation:
    """A splitter of sentences into subwords, by the text of a codes file.

    With a vocabulary, it splits unknown subwords further into known ones.
    """

    def __init__(self, codes: str, vocabulary: Vocabulary | None = None) -> None:
        known = set(vocabulary.tokens) if vocabulary else None
        said = StringIO()
        try:
            with redirect_stderr(said):
                self._encoding = BPE(StringIO(codes), separator=CONTINUED, vocab=known)
        except (SystemExit, ValueError) as error:  # subword-nmt prints its reason and exits
            wrong = said.getvalue().partition("\n")[0].removeprefix("Error: ") or error
            raise StudyError(f"not byte pair encodings, two subwords a line after the first ({wrong})") from error
        if self._encoding.version not in ((0, 1), (0, 2)):
            raise StudyError("byte pair encodings of an unknown version; #version: 0.2 is known")

    @classmethod
    def read(cls, path: Path, vocabulary: Vocabulary | None = None) -> Segmentation:
        """Read a codes file. Errors name the file."""
        with about(path):
            return cls(_text(path), vocabulary)

    def encode(self, sentence: str) -> list[str]:
        """Return the subwords of a sentence of tokens between spaces."""
        return list(self._encoding.segment_tokens(words(sentence)))


def _text(path: Path) -> str:
    """Return the text of a file. Only \\n ends a line, because other separators of Python may be subwords."""
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise StudyError(f"not UTF-8 ({error.reason}); convert the file to UTF-8") from error


def words(sentence: str) -> list[str]:
    """Return the tokens between spaces. Any other white space is part of a token, as in tensorflow/nmt.

    >>> words("at  ten\\u00a0past")
    ['at', 'ten\\xa0past']
    """
    return [word for word in sentence.split(" ") if word]


def decode(tokens: Sequence[str]) -> str:
    """Join subwords to a sentence. An unfinished last word is dropped, as in tensorflow/nmt.

    >>> decode(["zwan@@", "zig", "Uhr", "drei@@"])
    'zwanzig Uhr'
    """
    text = "".join(token.removesuffix(CONTINUED) if token.endswith(CONTINUED) else f"{token} " for token in tokens)
    finished, _, _ = text.rpartition(" ")
    return finished


def joined(sentence: str) -> str:
    """Join subwords between spaces to words. An unfinished word stays, as in tensorflow/nmt's references.

    >>> joined("zwan@@ zig Uhr drei@@")
    'zwanzig Uhr drei@@'
    """
    return sentence.replace(f"{CONTINUED} ", "")


@dataclass(frozen=True)
class Vocabulary:
    """The subwords of one language. The id of a token is its place. The first three are <unk>, <s>, </s>."""

    tokens: tuple[str, ...]

    @classmethod
    def of(cls, sentences: Sequence[str], segmentation: Segmentation) -> Vocabulary:
        """Return all subwords of the sentences, frequent ones first, and every character in both its forms.

        A segmentation with this vocabulary can then split every word that has only characters of the sentences.
        """
        counts = Counter(token for sentence in sentences for token in segmentation.encode(sentence))
        characters = set("".join(sentences)) - {" "}
        alphabet = {form for character in characters for form in (character, character + CONTINUED)}
        ordered = sorted({*counts, *alphabet}, key=lambda token: (-counts[token], token))
        return cls((UNKNOWN, START, END, *ordered))

    @classmethod
    def read(cls, path: Path) -> Vocabulary:
        """Read one token a line. Raise StudyError unless all differ and the first three are <unk>, <s>, </s>."""
        with about(path):
            tokens = tuple(_text(path).split("\n"))
        if tokens[:3] != (UNKNOWN, START, END):
            found = ", ".join(tokens[:3])
            raise StudyError(
                f"{path}: a vocabulary begins with the lines {UNKNOWN}, {START}, {END}; this one with {found}"
            )
        vocabulary = cls(tokens[:-1] if tokens[-1] == "" else tokens)
        if len(vocabulary._ids) < len(vocabulary):
            twice = next(token for place, token in enumerate(vocabulary.tokens) if vocabulary._ids[token] != place)
            raise StudyError(f"{path}: '{twice}' is given twice; a vocabulary has each subword once")
        return vocabulary

    def write(self, path: Path) -> None:
        """Write one token a line."""
        with replace_on_success(path) as temporary:
            temporary.write_text("\n".join(self.tokens) + "\n", encoding="utf-8")

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: index for index, token in enumerate(self.tokens)}

    def to_ids(self, tokens: Iterable[str]) -> list[int]:
        """Return the ids of tokens. Unknown tokens become <unk>."""
        return [self._ids.get(token, UNKNOWN_ID) for token in tokens]

    def to_tokens(self, ids: Iterable[int]) -> list[str]:
        """Return the tokens before the first </s>."""
        tokens = []
        for index in ids:
            if index == END_ID:
                break
            tokens.append(self.tokens[index])
        return tokens


def pad(batch: Sequence[Ids]) -> tuple[np.ndarray, np.ndarray]:
    """Return ids, int32 [B, T], padded with </s> as in tensorflow/nmt, and their lengths, int32 [B]."""
    lengths = np.array([len(ids) for ids in batch], np.int32)
    padded = np.full((len(batch), max(lengths, default=0)), END_ID, np.int32)
    for row, ids in zip(padded, batch, strict=True):
        row[: len(ids)] = ids
    return padded, lengths
