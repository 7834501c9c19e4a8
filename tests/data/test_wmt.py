"""A corpus is what its files say, whether they hold .sgm, text, tokens or subwords."""

from __future__ import annotations

import hashlib
import html
from pathlib import Path
from typing import Any

import pytest

from tocompress.data import wmt
from tocompress.data.moses import tokenize
from tocompress.data.subwords import Segmentation, Vocabulary, learn
from tocompress.errors import StudyError
from tocompress.schemas.study import SENTENCES
from tocompress.settings.data import Wmt
from tocompress.settings.model import Checkpoint, TranslationModel
from tocompress.tables import write_table
from tocompress.tasks.translation.inputs import Subwords, read_subwords, sentence_feeds

ENGLISH = ['AT&T\'s board said: "no".', "The 3.5 % rise\u2028is small.", "He isn't here, Mr. Smith."]
GERMAN = ["Der Vorstand von AT&T sagte: „nein“.", "Der Anstieg von 3,5 % ist klein.", "Er ist nicht hier, Hr. Schmidt."]
TRAINED: dict[str, Any] = {"build": "own", "checkpoint": Checkpoint(url="x")}


def settings(folder: Path = Path(), text: str = "raw", **options: Any) -> Wmt:
    files = ("source_vocabulary", "target_vocabulary", *(() if text == "subwords" else ("codes",)))
    names = {key: str(folder / key) for key in files}
    return Wmt(kind="wmt", source="source.txt", reference="reference.txt", text=text, **names, **options)


def written(folder: Path, key: str, lines: list[str], suffix: str = ".txt") -> Path:
    path = folder / f"{key}{suffix}"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def pair(folder: Path, source: list[str], reference: list[str], training: str = "") -> dict[str, Path]:
    sides = {f"{training}source": source, f"{training}reference": reference}
    return {key: written(folder, key, lines) for key, lines in sides.items()}


def sgm(sentences: list[str]) -> list[str]:
    """As WMT writes it, and no XML: a bare ampersand, attributes without quotes, a segment over two lines."""
    first, *others = [f"<seg id={number}> {html.escape(text)} </seg>" for number, text in enumerate(sentences, 1)]
    head = ['<refset trglang="any">', "<doc docid=AT&T>", "<p>"]
    return [*head, first.replace(" ", "\n", 2), *others, "</doc>"]


def test_sentences_come_out_of_sgm_as_they_were(tmp_path: Path) -> None:
    files = {"source": written(tmp_path, "a", sgm(ENGLISH), ".sgm"), "reference": written(tmp_path, "b", GERMAN)}
    table = wmt.corpus(settings(), files, "test")
    assert table["source"].tolist() == tokenize(ENGLISH, "en")
    assert table["plain_reference"].tolist() == GERMAN
    assert wmt.segments("<seg id=1>R&D &amp;amp; &#228; &copy 2</seg>") == ["R&D &amp; ä &copy 2"]
    write_table(tmp_path / "test.parquet", SENTENCES, table)


@pytest.mark.parametrize("suffix", [".xml", ".SGM", ".sgml", ".Xml"])
def test_sentences_come_out_of_the_xml_of_iwslt(tmp_path: Path, suffix: str) -> None:
    head = ['<?xml version="1.0" encoding="UTF-8"?>', "<mteval>", '<refset trglang="any">', "<doc>"]
    info = ["<keywords>talks, R&D</keywords>", '<!-- <seg id="0"> left out </seg> -->']
    lines = [*head, *info, *(f'<seg id="{n}"> {html.escape(s)} </seg>' for n, s in enumerate(GERMAN, 1)), "</mteval>"]
    path = written(tmp_path, "tst.de", lines, suffix)
    table = wmt.corpus(settings(text="tokenized"), {"source": path, "reference": path}, "test")
    assert table["plain_reference"].tolist() == GERMAN
    with pytest.raises(ValueError, match=r"takes no \.sgm, no \.xml"):
        settings(text="subwords").model_validate(settings(text="subwords").model_dump() | {"source": str(path)})


@pytest.mark.parametrize(
    ("suffix", "lines", "problem"),
    [
        (".en", sgm(ENGLISH), "begins as .sgm or .xml do; name it so"),
        (".en", ['<?xml version="1.0"?>', "<mteval>", "<seg>a</seg>"], "begins as .sgm or .xml do; name it so"),
        (".en", ["", "<!-- talks -->", "<doc>", "<seg>a</seg>"], "begins as .sgm or .xml do; name it so"),
        (".en", ["<url>http://a.b</url>", "<talkid>1</talkid>", "a"], "begins as .sgm or .xml do; name it so"),
        (".xml", ['<src lang="en"><seg>a</seg></src>', '<ref lang="de"><seg>b</seg></ref>'], "both sources and trans"),
    ],
    ids=["sgm", "xml", "after a blank line", "tags of a talk", "one file"],
)
def test_markup_is_not_taken_for_sentences(tmp_path: Path, suffix: str, lines: list[str], problem: str) -> None:
    path = written(tmp_path, "newstest", lines, suffix)
    with pytest.raises(StudyError, match=problem):
        wmt.corpus(settings(), {"source": path, "reference": path}, "test")
    if suffix == ".en":
        with pytest.raises(StudyError, match=problem):
            training = settings(training=("a", "b"), calibration=1)
            wmt.corpus(training, {"training_source": path, "training_reference": path}, "train")


def test_raw_text_its_tokens_and_its_subwords_have_the_same_ids(tmp_path: Path) -> None:
    sides = tokenize(ENGLISH, "en"), tokenize(GERMAN, "de")
    codes = learn([*sides[0], *sides[1]], 20)
    (tmp_path / "codes").write_text(codes)
    segmentation = Segmentation(codes)
    split = [[" ".join(segmentation.encode(sentence)) for sentence in side] for side in sides]
    for key, side in zip(("source_vocabulary", "target_vocabulary"), sides, strict=True):
        known = Vocabulary.of(side, segmentation)
        Vocabulary(known.tokens[:30]).write(tmp_path / key)  # so that some are unknown, as in tensorflow/nmt

    found = []
    for text, files in {"raw": (ENGLISH, GERMAN), "tokenized": sides, "subwords": split}.items():
        data = settings(tmp_path, text)
        table = wmt.corpus(data, pair(tmp_path, *files), "test")
        subwords = read_subwords(TranslationModel(network="gnmt", data="wmt", **TRAINED), data)
        ids = [*table["source"].map(subwords.source_ids), *table["reference"].map(subwords.target_ids)]
        found.append((ids, table["reference"].map(subwords.reference).tolist()))
        assert table["plain_reference"].tolist() == (GERMAN if text == "raw" else [None] * 3)
    assert found[0] == found[1] == found[2]
    assert found[0][1] == sides[1]
    assert any(0 in row for row in found[0][0])


def test_the_sentences_that_nmt_was_run_on_are_fed_as_it_fed_them(shared: Path) -> None:
    """Its outputs are the proof: of these ids, its weights make its translations."""
    tensorflow = pytest.importorskip("tensorflow")
    from tocompress.models import gnmt

    golden = shared / "golden/gnmt"
    data = settings(text="subwords", languages=("de", "en")).model_copy(
        update={"source_vocabulary": golden / "vocab.bpe.de", "target_vocabulary": golden / "vocab.bpe.en"}
    )
    table = wmt.corpus(data, {"source": golden / "src.de", "reference": golden / "ref.en"}, "test")
    subwords = read_subwords(
        TranslationModel(network="gnmt", data="wmt", source_vocabulary=203, target_vocabulary=203, **TRAINED), data
    )
    feeds = sentence_feeds(table["source"].tolist(), subwords)
    checkpoint = tensorflow.train.load_checkpoint(str(golden / "translate.ckpt"))
    weights = {name: tensorflow.constant(checkpoint.get_tensor(name)) for name in gnmt.shapes(203, 203, 64)}
    ids = gnmt.greedy(weights, feeds["source"], feeds["source_length"], feeds["maximum_length"]).numpy()
    lines = (golden / "output_greedy").read_text().splitlines()
    assert [subwords.translation(row) for row in ids] == lines
    assert table["reference"].map(subwords.reference)[4] == "w8 w44 w126@@"  # as nmt's script leaves it


def test_the_test_set_is_the_first_sentences(tmp_path: Path) -> None:
    files = pair(tmp_path, ENGLISH, GERMAN)
    table = wmt.corpus(settings(test=2), files, "test")
    assert table[["example", "plain_reference"]].to_numpy().tolist() == [[0, GERMAN[0]], [1, GERMAN[1]]]
    with pytest.raises(StudyError, match=r"source\.txt: holds 3 sentences, but .*`test` is 4"):
        wmt.corpus(settings(test=4), files, "test")


OTHER_SPACES = "\u00a0\u2009\u3000\t"
OTHER_ENDS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\r"


@pytest.mark.parametrize("key", ["source", "reference"])
def test_a_sentence_that_tokens_leave_nothing_of_is_refused_with_its_number(tmp_path: Path, key: str) -> None:
    for nothing in ("\x01", "", " \u00a0"):
        sides = {"source": ENGLISH, "reference": GERMAN} | {key: ["a", nothing, "b"]}
        with pytest.raises(StudyError, match=rf"{key}\.txt: sentence 2 is empty"):
            wmt.corpus(settings(), pair(tmp_path, sides["source"], sides["reference"]), "test")


def test_only_a_new_line_ends_a_sentence_and_only_a_space_a_word(tmp_path: Path) -> None:
    lines = [f"a{mark}b c" for mark in OTHER_SPACES + OTHER_ENDS]
    for text, end in (("\ufeff", "\r\n"), ("", "\n")):
        for name in ("source", "reference"):
            (tmp_path / name).write_bytes((text + "".join(line + end for line in lines)).encode())
        files = {key: tmp_path / key.removeprefix("training_") for key in ("source", "reference")}
        table = wmt.corpus(settings(text="tokenized"), files, "test")
        assert table["source"].tolist() == table["reference"].tolist() == lines
        files = {f"training_{key}": path for key, path in files.items()}
        of = settings(text="tokenized", training=("a", "b"), calibration=len(lines))
        assert sorted(wmt.corpus(of, files, "calibration")["source"]) == sorted(lines)
    Vocabulary(("<unk>", "<s>", "</s>", *(line.split(" ")[0] for line in lines))).write(tmp_path / "words")
    words = Vocabulary.read(tmp_path / "words")
    subwords = Subwords(words, words, None)
    assert [subwords.source_ids(line) for line in lines] == [[number, 0] for number in range(3, 3 + len(lines))]


def test_pairs_are_cleaned_by_words_between_spaces(tmp_path: Path) -> None:
    files = pair(tmp_path, ["\u00a0".join("a" * 81), "b"], ["c", "d"], training="training_")
    assert len(wmt.corpus(settings(text="tokenized", training=("a", "b"), calibration=2), files, "calibration")) == 2


def numbered(count: int) -> tuple[list[str], list[str]]:
    return [f"sentence {number}" for number in range(count)], [f"Satz {number}" for number in range(count)]


def test_training_and_calibration_set_share_no_pair_and_stay_pairs(tmp_path: Path) -> None:
    files = pair(tmp_path, *numbered(300), training="training_")
    for train, expected in ((40, 40), (None, 270)):
        data = settings(text="tokenized", training=("a", "b"), train=train, calibration=30)
        sets = {split: wmt.corpus(data, files, split) for split in ("train", "calibration")}
        assert {split: len(table) for split, table in sets.items()} == {"train": expected, "calibration": 30}
        assert not set(sets["train"]["source"]) & set(sets["calibration"]["source"])
        for table in sets.values():
            assert table["source"].nunique() == len(table)
            assert table["source"].str.removeprefix("sentence ").equals(table["reference"].str.removeprefix("Satz "))
            assert table["example"].tolist() == list(range(len(table)))
    other = data.model_copy(update={"seed": 2})
    assert wmt.corpus(other, files, "calibration")["source"].tolist() != sets["calibration"]["source"].tolist()
    assert wmt.corpus(data, files, "calibration").equals(sets["calibration"])


def test_pairs_that_wmt_leaves_out_are_not_learned_from(tmp_path: Path) -> None:
    good = ["a", "a " * 80, "a@@ " * 100 + "b", "a " * 9]
    bad = ["", "a " * 81, "a " * 10]
    lines = [line.strip() for line in good + bad]
    partners = ["b", "b " * 9 + "c", "b", "b", "b", "b " * 80, "b"]
    files = pair(tmp_path, lines, partners, training="training_")
    data = settings(text="subwords", training=("a", "b"), calibration=1)
    found = {*wmt.corpus(data, files, "train")["source"], *wmt.corpus(data, files, "calibration")["source"]}
    assert found == {line.strip() for line in good}
    with pytest.raises(StudyError, match=r"training_source\.txt: 4 of its pairs have 1 to 80 tokens.* 1 and 4: lower"):
        wmt.corpus(data.model_copy(update={"train": 4}), files, "train")
    for split, calibration in (("calibration", 5), ("train", 4)):
        with pytest.raises(StudyError, match=f"4 of its pairs .* {calibration} and all that remain: lower"):
            wmt.corpus(data.model_copy(update={"calibration": calibration}), files, split)  # type: ignore[arg-type]


def test_a_file_of_another_digest_is_refused_with_both(tmp_path: Path) -> None:
    files = pair(tmp_path, ENGLISH, GERMAN)
    found, expected = hashlib.md5(files["reference"].read_bytes()).hexdigest(), "0" * 32
    wmt.corpus(settings(md5={"reference.txt": found}), files, "test")
    with pytest.raises(StudyError, match=rf"reference\.txt: expected the md5 {expected}, found {found}"):
        wmt.corpus(settings(md5={"reference.txt": expected}), files, "test")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"nur einer\n", r"source\.txt: holds 3 sentences, .*reference\.\w+ 1;"),
        (b"", r"reference\.\w+: holds no sentences"),
        (b"eins\nzw\xf6lf\n", r"reference\.\w+: line 2 is not UTF-8"),
    ],
)
@pytest.mark.parametrize("split", ["test", "train"])
def test_a_file_that_is_no_translation_is_named(tmp_path: Path, split: Any, content: bytes, problem: str) -> None:
    training = "training_" if split == "train" else ""
    english = ENGLISH[:2] if b"\xf6" in content else ENGLISH
    files = pair(tmp_path, english, GERMAN, training)
    files[f"{training}reference"].write_bytes(content)
    with pytest.raises(StudyError, match=problem):
        wmt.corpus(settings(training=("a", "b"), calibration=1), files, split)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"absent\.en: not readable .*No such file"):
        wmt.corpus(settings(), {"source": Path("absent.en"), "reference": Path("absent.de")}, "test")
    with pytest.raises(StudyError, match="`training` names no training sentences"):
        wmt.corpus(settings(), {}, "train")
    cut = written(tmp_path, "cut", [*sgm(ENGLISH)[:-2], "<seg id=3>He"], ".sgm")
    with pytest.raises(StudyError, match=r"cut\.sgm: not all of its <seg> end"):
        wmt.corpus(settings(), {"source": cut, "reference": cut}, "test")
    with pytest.raises(StudyError, match=r"cut\.sgm: training sentences are text, one a line"):
        wmt.corpus(settings(training=("a", "b")), {"training_source": cut, "training_reference": cut}, "train")
