import numpy as np
import pandas as pd
import pytest
import sacrebleu

from tocompress.errors import StudyError
from tocompress.evaluation.translation import bleu, scores, sentence_matches
from tocompress.schemas.evaluation import METRICS
from tocompress.tables import read_table, write_table

SETTINGS = {"level": 0.95, "resamples": 200, "seed": 1}
WORDS = ["zwei", "drei", "vier", "und", "zwanzig", "hundert", "Uhr", "Euro", "am", "im", "März", ","]


def sentences(number, seed=0):
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, random.integers(1, 12))) for _ in range(number)]


def damaged(sentence, share, random):
    return " ".join(word if random.random() > share else random.choice(WORDS) for word in sentence.split())


def table(references, hypotheses):
    return pd.DataFrame({"example": range(len(references)), "reference": references, "hypothesis": hypotheses})


@pytest.fixture(scope="module")
def references():
    return sentences(120)


@pytest.fixture(scope="module")
def predictions(references):
    random = np.random.default_rng(1)
    hypotheses = [damaged(reference, 0.2, random) for reference in references]
    return table(references, ["", "Unsinn", *hypotheses[2:]])


def test_the_sum_over_sentences_gives_sacrebleus_corpus_score_exactly(predictions):
    matches = sentence_matches(predictions)
    for part in (slice(None), slice(40, 80), slice(0, 2), slice(0, 1)):  # the last two match nothing
        expected = sacrebleu.corpus_bleu(
            predictions["hypothesis"].iloc[part].tolist(), [predictions["reference"].iloc[part].tolist()]
        )
        assert bleu(matches[part].sum(axis=0)) == expected.score


def test_a_resample_scores_as_the_sentences_repeated(predictions):
    drawn = np.random.default_rng(2).integers(0, 120, 120)
    repeated = predictions.iloc[drawn]
    expected = sacrebleu.corpus_bleu(repeated["hypothesis"].tolist(), [repeated["reference"].tolist()])
    assert bleu(np.bincount(drawn, minlength=120) @ sentence_matches(predictions)) == expected.score


def test_a_row_says_how_bleu_was_computed_and_fits_the_table_of_metrics(predictions, tmp_path):
    path = tmp_path / "metrics.parquet"
    write_table(path, METRICS, scores(predictions, predictions, **SETTINGS))
    (row,) = read_table(path, METRICS).to_dict("records")
    assert (row["metric"], row["unit"], row["basis"], row["n"]) == ("bleu", "score", "measured", 120)
    assert row["label"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert (
        row["value"]
        == sacrebleu.corpus_bleu(predictions["hypothesis"].tolist(), [predictions["reference"].tolist()]).score
    )
    assert row["low"] < row["value"] < row["high"]


def test_identical_translations_have_a_ratio_of_exactly_one(predictions):
    row = scores(predictions, predictions[::-1], **SETTINGS).iloc[0]
    assert (row["ratio"], row["ratio_low"], row["ratio_high"]) == (1, 1, 1)


def test_perfect_translations_score_100_without_doubt(references):
    row = scores(table(references, references), table(references, references), **SETTINGS).iloc[0]
    assert (row["value"], row["low"], row["high"]) == pytest.approx((100, 100, 100))


def test_worse_translations_have_a_ratio_below_one(references, predictions):
    random = np.random.default_rng(5)
    worse = table(references, [damaged(reference, 0.5, random) for reference in references])
    row = scores(worse, predictions, **SETTINGS).iloc[0]
    assert row["ratio_low"] < row["ratio"] < row["ratio_high"] < 1


def test_other_references_than_the_baselines_are_an_error(references, predictions):
    with pytest.raises(StudyError, match="same test set"):
        scores(predictions, table(sentences(120, seed=9), references), **SETTINGS)
