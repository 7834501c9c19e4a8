"""Sensitivity: on request, measure the accuracy that each layer alone costs."""

from __future__ import annotations

from tocompress.errors import StudyError
from tocompress.plan.base import SPLITS, Parameters, Stage, Wildcards, stop
from tocompress.settings.jobs import (
    QuantizationSensitivityFigureJob,
    QuantizationSensitivityJob,
    SensitivityFigureJob,
    SensitivityJob,
)
from tocompress.settings.technique import Budget, Quantize
from tocompress.vocabulary.variants import BASELINE, Variant


class Sensitivity(Stage):
    """The rules of rules/sensitivity.smk."""

    # Rule sensitivity

    def trained_weights(self, wildcards: Wildcards) -> str:
        """Return the uncompressed weights of a trained model. End the program for another model."""
        if not self.model(wildcards).trained:
            trained = ", ".join(self.study.trained) or "of which this study has none"
            stop(StudyError(f"sensitivity: '{wildcards.model}' has initial weights; scan a trained model ({trained})"))
        return self.paths.weights.format(model=wildcards.model, variant=BASELINE)

    @property
    def sensitivity(self) -> Parameters:
        return self.parameters("sensitivity.py", self._sensitivity_job, self.network)

    def _sensitivity_job(self, wildcards: Wildcards) -> str:
        return SensitivityJob(
            model=self.architecture(wildcards), data=self.examples(wildcards), sensitivity=self.study.sensitivity
        ).canonical(exclude=SPLITS)

    # Rule quantization_sensitivity

    @property
    def quantization_sensitivity(self) -> Parameters:
        return self.parameters("quantization_sensitivity.py", self._quantization_sensitivity_job, self.network)

    def _quantization_sensitivity_job(self, wildcards: Wildcards) -> str:
        return QuantizationSensitivityJob(
            model=self.architecture(wildcards),
            data=self.examples(wildcards),
            sensitivity=self.study.quantization_sensitivity,
        ).canonical(exclude=SPLITS)

    # Rule sensitivity_figure

    @property
    def sensitivity_figure(self) -> Parameters:
        return self.parameters("plot_sensitivity.py", self._sensitivity_figure_job)

    def _sensitivity_figure_job(self, wildcards: Wildcards) -> str:
        model = self.model(wildcards)
        return SensitivityFigureJob(
            model=wildcards.model,
            network=model.network,
            data=model.data,
            criterion=self.study.sensitivity.criterion,
            plot=self.study.plot,
        ).canonical()

    # Rule quantization_sensitivity_figure

    def budgeted(self, wildcards: Wildcards) -> list[str]:
        """Return the tables of the bits that a budget gave to the kernels of the study's variants of a model."""
        return [
            self.paths.compression.format(model=model, variant=variant)
            for model, variant in self.pairs()
            if model == wildcards.model and self._has_budget(variant)
        ]

    def _has_budget(self, variant: str) -> bool:
        """Return whether the last technique of a variant distributes a budget of bits."""
        if variant == BASELINE:
            return False
        technique = self.study.techniques[Variant.parse(variant).last]
        return isinstance(technique, Quantize) and isinstance(technique.bits, Budget)

    @property
    def quantization_sensitivity_figure(self) -> Parameters:
        return self.parameters("plot_quantization_sensitivity.py", self._quantization_sensitivity_figure_job)

    def _quantization_sensitivity_figure_job(self, wildcards: Wildcards) -> str:
        model = self.model(wildcards)
        return QuantizationSensitivityFigureJob(
            model=wildcards.model, network=model.network, data=model.data, plot=self.study.plot
        ).canonical()
