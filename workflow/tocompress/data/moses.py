"""Moses' tokens, which tensorflow/nmt's models are trained on, by its Python port sacremoses."""

from __future__ import annotations

from collections.abc import Iterable

from sacremoses import MosesDetokenizer, MosesTokenizer


def tokenize(sentences: Iterable[str], language: str) -> list[str]:
    """Each sentence's tokens with spaces between them, as `tokenizer.perl -l language` writes them: `&` is `&amp;`."""
    tokenizer = MosesTokenizer(language)
    return [tokenizer.tokenize(sentence, return_str=True) for sentence in sentences]


def detokenize(sentences: Iterable[str], language: str) -> list[str]:
    """Sentences as they are written, from tokens with spaces between them; near the inverse of `tokenize`."""
    detokenizer = MosesDetokenizer(language)
    return [detokenizer.detokenize(sentence.split()) for sentence in sentences]
