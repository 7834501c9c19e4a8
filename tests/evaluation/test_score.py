"""What predictions are of decides how they are scored."""

import pandas as pd
import pytest

from tocompress.errors import StudyError
from tocompress.evaluation.score import score
from tocompress.schemas.study import IMAGE_PREDICTIONS, SENTENCE_PREDICTIONS
from tocompress.settings.evaluation import Scores
from tocompress.settings.jobs import ScoreJob
from tocompress.tables import write_table

IMAGES, SENTENCES = (
    ScoreJob(task=task, scores=Scores(resamples=100), language=None) for task in ("classification", "translation")
)


def images(path, *best):
    """Predictions of one class an image, all of which show class 0."""
    rows = [(example, 0, 1, predicted, 1.0) for example, predicted in enumerate(best)]
    write_table(path, IMAGE_PREDICTIONS, pd.DataFrame(rows, columns=IMAGE_PREDICTIONS.names))
    return path


def sentences(path, *hypotheses):
    rows = [(example, "ten past nine at night", None, said) for example, said in enumerate(hypotheses)]
    write_table(path, SENTENCE_PREDICTIONS, pd.DataFrame(rows, columns=SENTENCE_PREDICTIONS.names))
    return path


def test_images_are_judged_by_their_classes(tmp_path):
    table = score(images(tmp_path / "q8", 0, 1, 0, 1), images(tmp_path / "fp32", 0, 0, 0, 1), IMAGES)
    top1 = table.set_index("metric").loc["top1"]
    assert (top1["value"], top1["n"]) == (0.5, 4)
    assert top1["ratio"] == pytest.approx(0.5 / 0.75)


def test_translations_are_judged_by_their_words(tmp_path):
    right = "ten past nine at night"
    table = score(sentences(tmp_path / "q8", right, right), sentences(tmp_path / "fp32", right, right), SENTENCES)
    bleu = table.set_index("metric").loc["bleu"]
    assert bleu["value"] == pytest.approx(100)
    assert bleu["unit"] == "score"


def test_what_is_no_predictions_is_refused_by_name(tmp_path):
    write_table(tmp_path / "fp32", SENTENCE_PREDICTIONS, pd.DataFrame(columns=SENTENCE_PREDICTIONS.names))
    with pytest.raises(StudyError, match="fp32: a table of image_predictions lacks"):
        score(images(tmp_path / "q8", 0), tmp_path / "fp32", IMAGES)
