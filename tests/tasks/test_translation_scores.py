import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import sacrebleu

from tocompress.data.moses import tokenize
from tocompress.errors import StudyError
from tocompress.schemas.study import METRICS
from tocompress.tables import read_table, write_table
from tocompress.tasks.translation.scores import PLAIN, TOKENIZED, as_written, scores

SETTINGS = {"language": None, "level": 0.95, "resamples": 200, "seed": 1}
WORDS = ["zwei", "drei", "vier", "und", "zwanzig", "hundert", "Uhr", "Euro", "am", "im", "März", ","]


def sentences(number, seed=0):
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, random.integers(1, 12))) for _ in range(number)]


def damaged(sentence, share, random):
    return " ".join(word if random.random() > share else random.choice(WORDS) for word in sentence.split())


def table(references, hypotheses, plain=None):
    return pd.DataFrame(
        {
            "example": range(len(references)),
            "reference": references,
            "plain_reference": plain,
            "hypothesis": hypotheses,
        }
    )


def texts(predictions):
    return predictions["hypothesis"].tolist(), predictions["reference"].tolist()


def score(way, hypotheses, references):
    return way.of(way.sentence_matches(hypotheses, references).sum(axis=0))


def score_of_nmt(hypotheses, references):
    """The formula of tensorflow/nmt's scripts/bleu.py, times 100."""
    matches, possible = Counter(), Counter()
    words = [
        (hypothesis.split(" "), reference.split(" "))
        for hypothesis, reference in zip(hypotheses, references, strict=True)
    ]
    for pair in words:
        for order in range(1, 5):
            ours, theirs = (
                Counter(tuple(side[start : start + order]) for start in range(len(side) - order + 1)) for side in pair
            )
            matches[order] += (ours & theirs).total()
            possible[order] += ours.total()
    precisions = [matches[order] / possible[order] if possible[order] else 0 for order in range(1, 5)]
    if not min(precisions):
        return 0
    ratio = sum(len(ours) for ours, _ in words) / sum(len(theirs) for _, theirs in words)
    brevity = 1 if ratio > 1 else math.exp(1 - 1 / ratio)
    return 100 * brevity * math.exp(sum(map(math.log, precisions)) / 4)


@pytest.fixture(scope="module")
def references():
    return sentences(120)


def test_only_spaces_end_the_tokens_that_are_scored():
    ours = ["am\u00a02. März um 8 Uhr", "zwei\u2009drei vier und ein Euro"]
    theirs = ["am\u00a02. März um 9 Uhr", "zwei drei vier und ein Euro"]
    assert score(TOKENIZED, ours, theirs) == pytest.approx(score_of_nmt(ours, theirs))
    assert TOKENIZED.sentence_matches(["a\u00a0b"], ["a\u2009b"])[0, :3].tolist() == [1, 1, 0]


@pytest.fixture(scope="module")
def predictions(references):
    random = np.random.default_rng(1)
    hypotheses = [damaged(reference, 0.2, random) for reference in references]
    return table(references, ["", "Unsinn", *hypotheses[2:]])


def test_the_sum_over_sentences_gives_sacrebleus_corpus_score_exactly(predictions):
    matches = PLAIN.sentence_matches(*texts(predictions))
    for part in (slice(None), slice(40, 80), slice(0, 2), slice(0, 1)):  # the last two match nothing
        expected = sacrebleu.corpus_bleu(
            predictions["hypothesis"].iloc[part].tolist(), [predictions["reference"].iloc[part].tolist()]
        )
        assert PLAIN.of(matches[part].sum(axis=0)) == expected.score


def test_a_resample_scores_as_the_sentences_repeated(predictions):
    drawn = np.random.default_rng(2).integers(0, 120, 120)
    repeated = predictions.iloc[drawn]
    expected = sacrebleu.corpus_bleu(repeated["hypothesis"].tolist(), [repeated["reference"].tolist()])
    assert PLAIN.of(np.bincount(drawn, minlength=120) @ PLAIN.sentence_matches(*texts(predictions))) == expected.score


@pytest.mark.parametrize("share", [0.05, 0.3, 0.8, 1])
def test_tokenized_bleu_is_that_of_tensorflow_nmt(references, share):
    random = np.random.default_rng(3)
    hypotheses = [damaged(reference, share, random).replace(" ,", ",") for reference in references]
    hypotheses[:20] = [" ".join(hypothesis.split(" ")[:3]) for hypothesis in hypotheses[:20]]
    hypotheses[20:25] = [hypothesis.title() for hypothesis in hypotheses[20:25]]
    expected = score_of_nmt(hypotheses, references)
    assert score(TOKENIZED, hypotheses, references) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("hypothesis", "expected"),
    [
        ("a b c d e f", 100),
        ("a b c d e g", 100 * (5 / 6 * 4 / 5 * 3 / 4 * 2 / 3) ** (1 / 4)),
        ("a b c d e", 100 * math.exp(1 - 6 / 5)),
        ("a b c d e f, f", 100 * (5 / 7 * 4 / 6 * 3 / 5 * 2 / 4) ** (1 / 4) * 1.2 ** (1 / 4)),
        ("A b c", 0),  # no four words in a row, and no smoothing
    ],
)
def test_tokenized_bleu_has_the_values_it_has_by_hand(hypothesis, expected):
    assert score(TOKENIZED, [hypothesis], ["a b c d e f"]) == pytest.approx(expected)


def test_rows_say_how_bleu_was_computed_and_fit_the_table_of_metrics(predictions, tmp_path):
    path = tmp_path / "metrics.parquet"
    write_table(
        path,
        METRICS,
        scores(predictions, predictions, **SETTINGS).assign(runtime="tensorflow", model="vgg", variant="q8"),
    )
    bleu, tokenized = read_table(path, METRICS).to_dict("records")
    assert [bleu["metric"], tokenized["metric"]] == ["bleu", "bleu_tokenized"]
    assert bleu["label"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert tokenized["label"].startswith("nrefs:1|case:mixed|eff:no|tok:none|smooth:none|version:")
    hypotheses, references = texts(predictions)
    assert bleu["value"] == sacrebleu.corpus_bleu(hypotheses, [references]).score
    assert tokenized["value"] == score(TOKENIZED, hypotheses, references)
    for row in (bleu, tokenized):
        assert (row["unit"], row["basis"], row["n"]) == ("score", "measured", 120)
        assert row["low"] < row["value"] < row["high"]


def test_bleu_of_tokens_is_of_what_people_read():
    plain = ["Er sagte: „Nein“.", "Es sind 5 % (netto).", "Ost & West gehen."]
    tokens = tokenize(plain, "de")
    told = table(tokens, [tokens[0], "Es ist nichts .", tokens[2]], [plain[0], plain[1], None])
    text = as_written(told, "de")
    assert text["hypothesis"].tolist() == [plain[0], "Es ist nichts.", "Ost & West gehen."]
    assert text["reference"].tolist() == [plain[0], plain[1], "Ost & West gehen."]
    first = scores(told, told, **SETTINGS | {"language": "de"}).set_index("metric")["value"]
    assert first["bleu"] == score(PLAIN, *texts(text))
    assert first["bleu_tokenized"] == score(TOKENIZED, *texts(told))
    assert as_written(told, None).equals(told)


def test_identical_translations_have_a_ratio_of_exactly_one(predictions):
    found = scores(predictions, predictions[::-1], **SETTINGS)
    assert (found[["ratio", "ratio_low", "ratio_high"]] == 1).all(axis=None)


def test_perfect_translations_score_100_without_doubt(references):
    found = scores(table(references, references), table(references, references), **SETTINGS)
    np.testing.assert_allclose(found[["value", "low", "high"]], 100)


def test_worse_translations_have_a_ratio_below_one(references, predictions):
    random = np.random.default_rng(5)
    worse = table(references, [damaged(reference, 0.5, random) for reference in references])
    for row in scores(worse, predictions, **SETTINGS).itertuples():
        assert row.ratio_low < row.ratio < row.ratio_high < 1


def test_other_references_than_the_baselines_are_an_error(references, predictions):
    with pytest.raises(StudyError, match="same test set"):
        scores(predictions, table(sentences(120, seed=9), references), **SETTINGS)
