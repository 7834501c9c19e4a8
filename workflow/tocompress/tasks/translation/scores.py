"""Compute BLEU of translations by sacreBLEU (paper, III-B), on sentences as written and on tokens as nmt does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from sacrebleu.metrics.bleu import BLEU

from tocompress.tasks.bootstrap import compared, interval, resample
from tocompress.tasks.metrics import Score, check_same_examples, measured
from tocompress.vocabulary.metrics import METRICS

_OTHER_SPACE = re.compile(r"[^\S ]")


@dataclass(frozen=True)
class Bleu:
    """A way to compute BLEU. The settings have sacreBLEU's names."""

    tokenize: str
    smooth_method: str

    def of(self, matches: np.ndarray) -> float:
        """Return BLEU, 0..100, of all sentences, from the sum of their `sentence_matches`."""
        hypothesis, reference, *counts = (int(count) for count in matches)
        orders = len(counts) // 2
        score = BLEU.compute_bleu(
            counts[:orders], counts[orders:], hypothesis, reference, smooth_method=self.smooth_method
        )
        return float(score.score)

    def sentence_matches(self, hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
        """Return the counts of each sentence for BLEU, int64 [N, 2 + 2 * orders].

        The columns are the lengths of hypothesis and reference, the matched n-grams by order, and the n-grams of the
        hypothesis by order. All of them add up over sentences.
        """
        # sacreBLEU warns about single sentences without effective_order, which does not change counts.
        metric = BLEU(tokenize=self.tokenize, effective_order=True, force=True)
        if self.tokenize == "none":
            hypotheses, references = map(_only_spaces_between, (hypotheses, references))
        found = [
            metric.sentence_score(hypothesis, [reference])
            for hypothesis, reference in zip(hypotheses, references, strict=True)
        ]
        return np.array([[score.sys_len, score.ref_len, *score.counts, *score.totals] for score in found], np.int64)

    @property
    def signature(self) -> str:
        """Return sacreBLEU's signature, which says how a score was computed."""
        metric = BLEU(tokenize=self.tokenize, smooth_method=self.smooth_method, force=True)
        metric.corpus_score([""], [[""]])  # tells sacreBLEU the number of references
        return str(metric.get_signature())


def _only_spaces_between(sentences: Sequence[str]) -> list[str]:
    """Replace white space other than spaces by signs of no meaning, since sacreBLEU would split a token there."""
    return [_OTHER_SPACE.sub(lambda space: chr(0xF0000 + ord(space[0])), sentence) for sentence in sentences]


#: The default of sacreBLEU.
PLAIN = Bleu(tokenize="13a", smooth_method="exp")
#: The same as scripts/bleu.py of tensorflow/nmt, except for empty translations, which the script counts as a word.
TOKENIZED = Bleu(tokenize="none", smooth_method="none")
_WAYS = {"bleu": PLAIN, "bleu_tokenized": TOKENIZED}


def scores(
    predictions: pd.DataFrame, baseline: pd.DataFrame, *, language: str | None, level: float, resamples: int, seed: int
) -> pd.DataFrame:
    """Return the table `metrics` of `sentence_predictions`: both BLEUs, with their ratios to the baseline.

    With `language`, translations are Moses' tokens of it, and `bleu` is of the text that the tokens stand for. `label`
    is sacreBLEU's signature. Intervals come from a bootstrap over sentences. Raise StudyError where the tables hold
    different sentences.
    """
    check_same_examples(predictions, baseline, "reference")
    judged = partial(resampled, language=language, resamples=resamples, seed=seed)
    rows = []
    for (name, way), (value, *drawn), (other, *other_drawn) in zip(
        _WAYS.items(), judged(predictions).T, judged(baseline).T, strict=True
    ):
        low, high = interval(np.array(drawn), level)
        against = compared(value, other, np.array(drawn), np.array(other_drawn), level)
        rows.append(Score(METRICS[name], value, low, high, level, len(predictions), against, label=way.signature))
    return measured(rows)


def resampled(predictions: pd.DataFrame, *, language: str | None, resamples: int, seed: int) -> np.ndarray:
    """Return both BLEUs of all sentences, then of each resample of them, float64 [1 + resamples, 2]."""
    table = predictions.sort_values("example", kind="stable")
    texts = {"bleu": as_written(table, language), "bleu_tokenized": table}
    matches = {name: way.sentence_matches(*_columns(texts[name])) for name, way in _WAYS.items()}

    def statistic(times: np.ndarray) -> np.ndarray:
        return np.array([way.of(times @ matches[name]) for name, way in _WAYS.items()])

    whole = statistic(np.ones(len(table), np.int64))
    return np.vstack([whole, resample(statistic, len(table), resamples=resamples, seed=seed)])


def as_written(predictions: pd.DataFrame, language: str | None) -> pd.DataFrame:
    """Return predictions as people write the language: detokenized, beside the published reference if there is one."""
    if language is None:
        return predictions
    from tocompress.data.moses import detokenize

    hypotheses, references = (detokenize(predictions[column], language) for column in ("hypothesis", "reference"))
    published = predictions["plain_reference"]
    return predictions.assign(hypothesis=hypotheses, reference=published.where(published.notna(), references))


def _columns(predictions: pd.DataFrame) -> tuple[list[str], list[str]]:
    return predictions["hypothesis"].tolist(), predictions["reference"].tolist()
