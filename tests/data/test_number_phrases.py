"""Number phrases: the same everywhere, apart from split to split, and a test of generalisation that is a fair one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tocompress.data import number_phrases
from tocompress.data.number_phrases import LENGTH, German, Phrase, Split, phrases, write_subwords
from tocompress.data.subwords import UNKNOWN_ID, Segmentation, Vocabulary, decode

SUBWORDS = Path(__file__).parents[2] / "zoo" / "number_phrases"
SPLITS: tuple[Split, ...] = ("train", "calibration", "test")


@pytest.fixture(scope="module")
def made() -> dict[Split, list[Phrase]]:
    return {split: phrases(split, 2000, seed=1) for split in SPLITS}


def test_a_phrase_does_not_depend_on_how_many_are_made(made: dict[Split, list[Phrase]]) -> None:
    assert all(phrases(split, 50, seed=1) == made[split][:50] for split in SPLITS)


def test_another_seed_makes_other_phrases(made: dict[Split, list[Phrase]]) -> None:
    assert len(set(phrases("train", 100, seed=2)) & set(made["train"])) < 10


def test_no_source_occurs_in_two_splits_whatever_their_seeds(made: dict[Split, list[Phrase]]) -> None:
    sources = {split: {phrase.source for phrase in made[split] + phrases(split, 300, seed=2)} for split in SPLITS}
    assert not sources["train"] & sources["calibration"]
    assert not sources["train"] & sources["test"]
    assert not sources["calibration"] & sources["test"]


def test_the_test_split_is_made_from_clauses_no_other_split_holds(made: dict[Split, list[Phrase]]) -> None:
    held_out = {clause.template for clause in number_phrases._TEST_CLAUSES}
    assert not held_out & {clause.template for clause in number_phrases._OTHER_CLAUSES}
    tested = {phrase.template for phrase in made["test"]}
    assert len(tested) >= 500
    assert not tested & {phrase.template for phrase in made["train"] + made["calibration"]}


def test_every_word_of_a_held_out_clause_stands_in_a_clause_to_train_on() -> None:
    def words(clauses: tuple[number_phrases.Clause, ...]) -> set[str]:
        texts = [clause.template for clause in clauses]
        for clause in clauses:
            texts += clause.subjects
            texts += [german.clause("", order) for german in clause.predicates for order in ("main", "subordinate")]
        return {word for text in texts for word in text.split()}

    assert words(number_phrases._TEST_CLAUSES) <= words(number_phrases._OTHER_CLAUSES)


@pytest.mark.parametrize("split", SPLITS)
def test_sentences_are_tokenized_and_of_moderate_length(made: dict[Split, list[Phrase]], split: Split) -> None:
    for phrase in made[split]:
        assert LENGTH[0] <= len(phrase.source.split()) <= LENGTH[1]
        assert phrase.source == phrase.source.lower()
        assert phrase.reference[0].isupper() and not re.search(r"[\d{}]", phrase.reference)
        assert phrase.source[-2:] == phrase.reference[-2:] and phrase.source[-2:] in (" .", " ?")
        assert phrase.source.split() == phrase.source.split(" ") and phrase.reference.split() == phrase.reference.split(
            " "
        )


def test_references_are_drawn_from_several_valid_ones(
    monkeypatch: pytest.MonkeyPatch, made: dict[Split, list[Phrase]]
) -> None:
    monkeypatch.setattr(number_phrases, "PREFERRED_SHARE", 1.0)
    usual = phrases("test", 500, seed=1)
    drawn = made["test"][:500]
    assert [phrase.source for phrase in usual] == [phrase.source for phrase in drawn]
    different = sum(one.reference != other.reference for one, other in zip(usual, drawn, strict=True))
    assert 0.2 < different / 500 < 0.7


def test_german_words_stand_in_the_order_of_their_kind_of_clause() -> None:
    separable = German("fängt", "um acht", particle="an")
    assert separable.clause("der Film", "main") == "der Film fängt um acht an"
    assert separable.clause("der Film", "inverted") == "fängt der Film um acht an"
    assert separable.clause("der Film", "subordinate") == "der Film um acht anfängt"
    reflexive = German("hat", "in zwei Jahren", end="verdoppelt", reflexive="sich")
    assert reflexive.clause("der Wert", "main") == "der Wert hat sich in zwei Jahren verdoppelt"
    assert reflexive.clause("der Wert", "inverted") == "hat sich der Wert in zwei Jahren verdoppelt"
    assert reflexive.clause("der Wert", "subordinate") == "sich der Wert in zwei Jahren verdoppelt hat"


@pytest.mark.parametrize("split", SPLITS)
def test_the_committed_subwords_know_every_word(made: dict[Split, list[Phrase]], split: Split) -> None:
    for language in ("en", "de"):
        vocabulary = Vocabulary.read(SUBWORDS / f"vocabulary.{language}")
        segmentation = Segmentation.read(SUBWORDS / "codes.bpe", vocabulary)
        for phrase in made[split]:
            sentence = phrase.source if language == "en" else phrase.reference
            tokens = segmentation.encode(sentence)
            assert UNKNOWN_ID not in vocabulary.to_ids(tokens)
            assert decode(tokens) == sentence


def test_writing_subwords_twice_gives_the_same_files(tmp_path: Path) -> None:
    for folder in (tmp_path / "one", tmp_path / "two"):
        write_subwords(folder, seed=1, number=200, merges=50)
    names = {"codes.bpe", "vocabulary.en", "vocabulary.de"}
    assert {path.name for path in (tmp_path / "one").iterdir()} == names
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in names)
