from tocompress.schemas.study import METRICS
from tocompress.tables import read_table, write_table
from tocompress.tasks.metrics import unavailable
from tocompress.vocabulary.metrics import accuracies


def test_scores_of_an_untrained_model_are_null_with_their_reason(tmp_path):
    path = tmp_path / "metrics.parquet"
    known = [*accuracies("classification"), *accuracies("translation")]
    write_table(
        path, METRICS, unavailable(known, "no trained weights").assign(runtime="tensorflow", model="vgg", variant="q8")
    )
    table = read_table(path, METRICS)
    assert table["metric"].tolist() == ["top1", "top5", "precision", "recall", "f1", "bleu", "bleu_tokenized"]
    assert table["unit"].tolist() == ["fraction"] * 5 + ["score"] * 2
    assert set(table["basis"]) == {"unavailable"}
    assert set(table["reason"]) == {"no trained weights"}
    assert table[["label", "value", "low", "high", "level", "n", "ratio"]].isna().all(axis=None)
