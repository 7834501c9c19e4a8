"""Moses' tokens, as its own tokenizer.perl writes them."""

from __future__ import annotations

import pytest

from tocompress.data.moses import detokenize, tokenize

ENGLISH = "AT&T's CEO said: \"We don't know... it's 5,300.50 $/share -- maybe [sic] more | less\"."
GERMAN = "Die EU-Kommission, d.h. Herr Dr. Juncker, will am 3. Oktober 1.000.000 € ausgeben; ca. 20 % davon."
# What tokenizer.perl -q -l en (or de) gives.
ENGLISH_TOKENS = (
    "AT &amp; T &apos;s CEO said : &quot; We don &apos;t know ... it &apos;s 5,300.50 $ / share -- maybe &#91; sic"
    " &#93; more &#124; less &quot; ."
)
GERMAN_TOKENS = "Die EU-Kommission , d.h. Herr Dr. Juncker , will am 3. Oktober 1.000.000 € ausgeben ; ca. 20 % davon ."


@pytest.mark.parametrize(
    ("language", "sentence", "tokens"), [("en", ENGLISH, ENGLISH_TOKENS), ("de", GERMAN, GERMAN_TOKENS)]
)
def test_tokens_are_those_of_moses(language: str, sentence: str, tokens: str) -> None:
    assert tokenize([sentence], language) == [tokens]


def test_tokens_are_put_together_as_the_language_is_written() -> None:
    sentences = ["„Das ist es“, sagte er.", "Es sind z. B. 1.000,50 Euro (netto).", ""]
    assert detokenize(tokenize(sentences, "de"), "de") == sentences
