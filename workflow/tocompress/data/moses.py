"""Tokens of Moses, by its Python port sacremoses. The models of tensorflow/nmt are trained on these tokens."""

from __future__ import annotations

from collections.abc import Iterable

from sacremoses import MosesDetokenizer, MosesTokenizer


def tokenize(sentences: Iterable[str], language: str) -> list[str]:
    """Return each sentence as `tokenizer.perl -l language` writes it: tokens between spaces, and `&` as `&amp;`."""
    tokenizer = MosesTokenizer(language)
    return [tokenizer.tokenize(sentence, return_str=True) for sentence in sentences]


def detokenize(sentences: Iterable[str], language: str) -> list[str]:
    """Return the plain sentences from tokens between spaces. This nearly inverts `tokenize`."""
    detokenizer = MosesDetokenizer(language)
    return [detokenizer.detokenize(sentence.split()) for sentence in sentences]
