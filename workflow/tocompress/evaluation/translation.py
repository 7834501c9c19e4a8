"""BLEU of translations (paper, III-B), by sacreBLEU."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sacrebleu.metrics.bleu import BLEU

from tocompress.evaluation.bootstrap import interval, paired_ratio, resample
from tocompress.evaluation.metrics import TRANSLATION, Score, check_same_examples, measured

SMOOTHING = "exp"  # sacreBLEU's default


def scores(
    predictions: pd.DataFrame, baseline: pd.DataFrame, *, level: float, resamples: int, seed: int
) -> pd.DataFrame:
    """The `metrics` of `sentence_predictions`: BLEU, 0..100, with its ratio to the baseline's on the same sentences.

    `label` is sacreBLEU's signature, which says how it was computed. Intervals are of a bootstrap over sentences.
    Raises StudyError where the two hold other sentences.
    """
    check_same_examples(predictions, baseline, "reference")
    value, signature = corpus_bleu(predictions)
    baseline_value, _ = corpus_bleu(baseline)
    n = len(predictions)
    matches, baseline_matches = sentence_matches(predictions), sentence_matches(baseline)
    drawn = resample(lambda times: bleu(times @ matches), n, resamples=resamples, seed=seed)
    baseline_drawn = resample(lambda times: bleu(times @ baseline_matches), n, resamples=resamples, seed=seed)
    low, high = interval(drawn, level)
    ratio = paired_ratio(value, baseline_value, drawn, baseline_drawn, level)
    return measured([Score("bleu", TRANSLATION["bleu"], value, low, high, level, n, *ratio, label=signature)])


def corpus_bleu(predictions: pd.DataFrame) -> tuple[float, str]:
    """BLEU of all sentences, and sacreBLEU's signature of it."""
    metric = BLEU(smooth_method=SMOOTHING, force=True)  # text that is tokenized already is no reason to warn
    score = metric.corpus_score(predictions["hypothesis"].tolist(), [predictions["reference"].tolist()])
    return score.score, str(metric.get_signature())


def sentence_matches(predictions: pd.DataFrame) -> np.ndarray:
    """What BLEU counts, by sentence in the order of `example`: int64 [N, 2 + 2 * orders].

    Columns are the hypothesis' and the reference's length, matched n-grams by order, and the hypothesis' n-grams by
    order: all of which add up over sentences.
    """
    metric = BLEU(effective_order=True)  # sacreBLEU warns about single sentences without it; it does not change counts
    ordered = predictions.sort_values("example", kind="stable")
    found = [
        metric.sentence_score(hypothesis, [reference])
        for hypothesis, reference in zip(ordered["hypothesis"], ordered["reference"], strict=True)
    ]
    return np.array([[score.sys_len, score.ref_len, *score.counts, *score.totals] for score in found], np.int64)


def bleu(matches: np.ndarray) -> float:
    """Corpus BLEU from the sum of `sentence_matches` over sentences."""
    hypothesis, reference, *counts = (int(count) for count in matches)
    orders = len(counts) // 2
    score = BLEU.compute_bleu(counts[:orders], counts[orders:], hypothesis, reference, smooth_method=SMOOTHING)
    return float(score.score)
