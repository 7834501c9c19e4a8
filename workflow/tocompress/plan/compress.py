"""Compress: one technique, applied to the weights of the parent variant."""

from __future__ import annotations

from typing import Any, cast

from tocompress.plan.base import SPLITS, Parameters, Stage, Wildcards
from tocompress.settings.jobs import PruneJob, QuantizeJob, RankJob, Recalibration
from tocompress.settings.technique import Budget, Prune, Quantize, Technique
from tocompress.settings.training import Retraining
from tocompress.vocabulary.variants import BASELINE, PRUNE, Variant

#: Settings of activations, which export sets.
_OF_ACTIVATIONS: Any = {"technique": {"range_quantile"}}


class Compress(Stage):
    """The rules of rules/compress.smk."""

    def parent(self, wildcards: Wildcards) -> str:
        """Return the weights that the last technique of a variant is applied to."""
        return self.of_parent(self.paths.weights, wildcards)

    def technique(self, wildcards: Wildcards) -> Technique:
        """Return the last technique of a variant."""
        return self.study.techniques[Variant.parse(wildcards.variant).last]

    # Rule compress

    @property
    def from_weights(self) -> str:
        """Return a pattern of the variants whose last technique needs nothing but weights."""
        return self.variants_by(*(name for name, technique in self.study.techniques.items() if technique.module))

    @property
    def compress(self) -> Parameters:
        return self.parameters(
            "compress.py", self._technique, lambda wildcards: [str(self.technique(wildcards).module)]
        )

    def _technique(self, wildcards: Wildcards) -> str:
        return self.technique(wildcards).canonical(exclude=_OF_ACTIVATIONS["technique"])

    # Rule quantize

    @property
    def quantized_on_data(self) -> str:
        """Return a pattern of the variants whose last technique quantizes on the calibration set."""
        techniques = self.study.techniques.items()
        return self.variants_by(*(name for name, own in techniques if isinstance(own, Quantize) and own.on_data))

    def scan_for_budget(self, wildcards: Wildcards) -> list[str]:
        """Return the scan of the uncompressed model by which a budget of bits is distributed, where there is one."""
        budgeted = isinstance(self._quantization(wildcards).bits, Budget)
        return [self.paths.quantization_sensitivity.format(model=wildcards.model)] if budgeted else []

    @property
    def quantize(self) -> Parameters:
        return self.parameters("quantize.py", self._quantize_job, self.network)

    def _quantize_job(self, wildcards: Wildcards) -> str:
        return QuantizeJob(
            model=self.architecture(wildcards),
            data=self.examples(wildcards),
            technique=self._quantization(wildcards),
            examples=self.study.calibration.learning,
            seed=self.study.calibration.seed,
        ).canonical(exclude={**SPLITS, **_OF_ACTIVATIONS})

    def _quantization(self, wildcards: Wildcards) -> Quantize:
        return cast(Quantize, self.technique(wildcards))

    # Rule rank

    @property
    def rank(self) -> Parameters:
        return self.parameters("rank.py", self._rank_job, self.network)

    def _rank_job(self, wildcards: Wildcards) -> str:
        return RankJob(model=self.architecture(wildcards), data=self.examples(wildcards)).canonical(exclude=SPLITS)

    # Rule prune

    @property
    def by_pruning(self) -> str:
        """Return a pattern of the variants whose last technique prunes."""
        return self.variants_by(*self.study.techniques_of(PRUNE))

    def importance(self, wildcards: Wildcards) -> list[str]:
        """Return the file of the importance of the parent's channels, where ranking them takes data."""
        ranked_on_data = self._pruning(wildcards).criterion == "taylor"
        return [self.of_parent(self.paths.importance, wildcards)] if ranked_on_data else []

    def retraining_set(self, wildcards: Wildcards) -> list[str]:
        """Return the training set, where a pruned network is retrained."""
        return [self.train_set(wildcards)] if self._retraining(wildcards) else []

    def pruning_set(self, wildcards: Wildcards) -> list[str]:
        """Return the calibration set, where a cut, the statistics after it or the watch over retraining needs it."""
        technique = self._pruning(wildcards)
        ranked_again = technique.criterion == "taylor" and technique.rounds > 1
        needed = ranked_again or technique.statistics == "recalibrated" or self._retraining(wildcards)
        return [self.calibration_set(wildcards)] if needed else []

    def teacher(self, wildcards: Wildcards) -> list[str]:
        """Return the uncompressed model's weights, where retraining learns from them."""
        retraining = self._retraining(wildcards)
        taught = retraining is not None and retraining.teacher > 0
        return [self.paths.weights.format(model=wildcards.model, variant=BASELINE)] if taught else []

    @property
    def prune(self) -> Parameters:
        return self.parameters("prune.py", self._prune_job, self.network)

    def _prune_job(self, wildcards: Wildcards) -> str:
        retraining = self._retraining(wildcards)
        return PruneJob(
            technique=self._pruning(wildcards),
            model=self.architecture(wildcards),
            data=self.training_examples(wildcards) if retraining else self.examples(wildcards),
            retraining=retraining,
            recalibration=self._recalibration(wildcards),
        ).canonical(exclude={"data": {"test"}} if retraining else SPLITS)

    def _pruning(self, wildcards: Wildcards) -> Prune:
        return cast(Prune, self.technique(wildcards))

    def _recalibration(self, wildcards: Wildcards) -> Recalibration | None:
        """Return the examples that batch norm's statistics are measured on, where they are measured anew."""
        if self._pruning(wildcards).statistics == "stored":
            return None
        return Recalibration(examples=self.study.calibration.learning, seed=self.study.calibration.seed)

    def _retraining(self, wildcards: Wildcards) -> Retraining | None:
        """Return the settings of retraining for a pruned model, or None where it is not retrained."""
        retrained = self.model(wildcards).trained and self._pruning(wildcards).retrain
        return self.study.retraining[wildcards.model] if retrained else None
