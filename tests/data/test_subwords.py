"""Subwords: nothing is lost on the way to ids and back, and nothing that can be spelled is unknown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocompress.data.subwords import END_ID, UNKNOWN_ID, Segmentation, Vocabulary, decode, learn, pad
from tocompress.errors import StudyError

SENTENCES = ["low lower lowest", "new newer newest", "wide wider widest", "the lowest , the newest ."]
CODES = learn(SENTENCES, 12)
VOCABULARY = Vocabulary.of(SENTENCES, Segmentation(CODES))
SENTENCE = st.lists(st.text("lowernstidh", min_size=1, max_size=12), max_size=8).map(" ".join)


@given(SENTENCE)
def test_decoding_undoes_encoding(sentence: str) -> None:
    assert decode(Segmentation(CODES).encode(sentence)) == sentence


@given(SENTENCE)
def test_no_word_of_known_letters_is_unknown(sentence: str) -> None:
    tokens = Segmentation(CODES, VOCABULARY).encode(sentence)
    ids = VOCABULARY.to_ids(tokens)
    assert UNKNOWN_ID not in ids
    assert VOCABULARY.to_tokens(ids) == tokens


def test_frequent_words_are_one_subword() -> None:
    assert Segmentation(CODES).encode("newest wolf") == ["newest", "w@@", "o@@", "l@@", "f"]


def test_only_a_space_ends_a_word() -> None:
    """As subword-nmt has it since 0.3; before, and by str.split(), these were two words."""
    encoding = Segmentation("#version: 0.2\nl o\nlo w</w>\nn e\nne w</w>\n")
    for space in "\u00a0\u2009\t\u2028\x85":
        assert encoding.encode(f" low{space}new  low ") == ["lo@@", "w@@", f"{space}@@", "new", "low"]
    assert encoding.encode("low new") == ["low", "new"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_mark_of_utf_8_and_other_ends_of_lines_are_no_part_of_a_subword(tmp_path: Path, mark: str, end: str) -> None:
    codes, vocabulary = tmp_path / "codes", tmp_path / "vocabulary"
    codes.write_bytes((mark + CODES.replace("\n", end)).encode())
    tokens = ("<unk>", "<s>", "</s>", "low", "\u2028", "a\x85", "\x0b@@")
    vocabulary.write_bytes((mark + end.join(tokens) + end).encode())
    assert Vocabulary.read(vocabulary).tokens == tokens
    assert Segmentation.read(codes).encode("newest lower") == Segmentation(CODES).encode("newest lower")
    codes.write_bytes(f"{mark}l o{end}".encode())  # an older file, which does not begin with a version
    assert Segmentation.read(codes).encode("low") == ["lo@@", "w"]


def test_a_last_word_that_is_not_finished_is_left_out() -> None:
    assert decode(["das", "Tr@@", "effen", "be@@"]) == "das Treffen"
    assert decode(["be@@"]) == decode([]) == ""


def test_tokens_outside_the_vocabulary_are_unknown() -> None:
    assert VOCABULARY.to_ids(["newest", "ß"])[1] == UNKNOWN_ID


def test_tokens_end_before_the_first_end_of_sentence() -> None:
    ids = [*VOCABULARY.to_ids(["the", "newest"]), END_ID, 5, END_ID]
    assert VOCABULARY.to_tokens(ids) == ["the", "newest"]


def test_a_vocabulary_is_read_as_it_was_written(tmp_path: Path) -> None:
    VOCABULARY.write(tmp_path / "vocabulary.en")
    assert Vocabulary.read(tmp_path / "vocabulary.en") == VOCABULARY
    assert len(VOCABULARY) == len(set(VOCABULARY.tokens))


@pytest.mark.parametrize("text", ["", "<s>\n</s>\n<unk>\nthe\n", "the\nnewest\n"])
def test_a_vocabulary_with_another_beginning_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "vocabulary.en"
    path.write_text(text)
    with pytest.raises(StudyError, match=r"vocabulary\.en.*<unk>, <s>, </s>"):
        Vocabulary.read(path)


def test_sentences_are_padded_with_the_end_of_sentence() -> None:
    ids, lengths = pad([[7, 8, 9], [], [4]])
    np.testing.assert_array_equal(ids, [[7, 8, 9], [2, 2, 2], [4, 2, 2]])
    np.testing.assert_array_equal(lengths, [3, 0, 1])
    assert ids.dtype == lengths.dtype == np.int32
