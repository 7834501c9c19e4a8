"""Export: from weights to the artifact that a device loads."""

from __future__ import annotations

from tocompress.errors import StudyError
from tocompress.plan.base import SPLITS, Parameters, Stage, Wildcards, canonical, stop
from tocompress.runtimes import module
from tocompress.settings.jobs import CalibrationJob, ExportJob
from tocompress.settings.model import TranslationModel
from tocompress.settings.technique import Quantize, Technique
from tocompress.vocabulary.runtimes import LITERT, TENSORFLOW
from tocompress.vocabulary.variants import Variant


class Export(Stage):
    """The rules of rules/export.smk."""

    # Rule trace

    @property
    def trace(self) -> Parameters:
        return self.parameters("trace.py", self._decoding, self.network)

    def _decoding(self, wildcards: Wildcards) -> str:
        model = self.model(wildcards)
        return canonical(beam_width=model.beam_width if isinstance(model, TranslationModel) else 1)

    # Rule export

    def body(self, wildcards: Wildcards) -> list[str]:
        """Return the graph that a variant fills with its weights, and the facts of the graph."""
        self._check_executable(TENSORFLOW, wildcards)
        structure = self.structure(wildcards.variant)
        return [
            pattern.format(model=wildcards.model, structure=structure)
            for pattern in (self.paths.body, self.paths.structure)
        ]

    def _check_executable(self, runtime: str, wildcards: Wildcards) -> None:
        """End the program where a runtime cannot execute the variant that somebody asks for."""
        if reason := self.study.refusal(runtime, wildcards.model, wildcards.variant):
            stop(StudyError(f"export: '{wildcards.variant}' of '{wildcards.model}': {reason}"))

    def structure(self, name: str) -> str:
        """Return the variant whose graph a variant shares: its parent, if the last technique changes no shape.

        The parent may be pruned, and then has a graph of its own.
        """
        variant = Variant.parse(name)
        keeps_shapes = variant.techniques and not self.study.techniques[variant.last].changes_shapes
        return variant.parent.name if keeps_shapes else name

    def export(self, runtime: str) -> Parameters:
        """Return the parameters of a job that fills a graph for a runtime."""
        return self.parameters("export.py", canonical(runtime=runtime), [module(runtime, "export")])

    # Rules trace_litert, calibrate and export_litert

    @property
    def trace_litert(self) -> Parameters:
        return self.parameters("trace_litert.py", self._decoding, self.network)

    def litert_body(self, wildcards: Wildcards) -> list[str]:
        """Return the flatbuffer that a variant fills, the places of its weights, and the facts of the graph."""
        self._check_executable(LITERT, wildcards)
        structure = self.structure(wildcards.variant)
        return [
            pattern.format(model=wildcards.model, structure=structure)
            for pattern in (self.paths.litert_body, self.paths.places, self.paths.structure)
        ]

    @property
    def in_integers(self) -> str:
        """Return a pattern of the variants whose activations have ranges that calibration images show."""
        techniques = self.study.techniques
        calibrated = [name for name in techniques if self._activations(techniques[name]) == 8]
        return f"(.+-)?({'|'.join(calibrated) or '(?!)'})(-.+)?"

    @property
    def calibrate(self) -> Parameters:
        return self.parameters("calibrate.py", self._calibration_job)

    def _calibration_job(self, wildcards: Wildcards) -> str:
        return CalibrationJob(
            model=self.run_model(wildcards), data=self.examples(wildcards), calibration=self.study.calibration
        ).canonical(exclude={**SPLITS, "calibration": {"learning", "seed"}})

    def extremes(self, wildcards: Wildcards) -> list[str]:
        """Return the file of the extremes of a variant's activations, where it computes in integers of fixed ranges."""
        calibrated = self._export_job(wildcards).activations == 8
        return [self.paths.extremes.format(model=wildcards.model, variant=wildcards.variant)] if calibrated else []

    @property
    def export_litert(self) -> Parameters:
        return self.parameters("export_litert.py", lambda wildcards: self._export_job(wildcards).canonical())

    def _export_job(self, wildcards: Wildcards) -> ExportJob:
        for technique in self.study.techniques_in(wildcards.variant):
            if isinstance(technique, Quantize) and technique.activations is not None:
                return ExportJob(activations=technique.activations, range_quantile=technique.range_quantile or 1.0)
        return ExportJob()

    @staticmethod
    def _activations(technique: Technique) -> int | str | None:
        return technique.activations if isinstance(technique, Quantize) else None
