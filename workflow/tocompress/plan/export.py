"""Export: from weights to the artifact that a device loads."""

from __future__ import annotations

from tocompress.plan.base import Parameters, Stage, Wildcards, canonical
from tocompress.runtimes import module
from tocompress.settings.model import TranslationModel
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
        structure = self.structure(wildcards.variant)
        return [
            pattern.format(model=wildcards.model, structure=structure)
            for pattern in (self.paths.body, self.paths.structure)
        ]

    def structure(self, name: str) -> str:
        """Return the variant whose graph a variant shares: its parent, if the last technique changes no shape.

        The parent may be pruned, and then has a graph of its own.
        """
        variant = Variant.parse(name)
        keeps_shapes = variant.techniques and not self.study.techniques[variant.last].changes_shapes
        return variant.parent.name if keeps_shapes else name

    def export(self, runtime: str) -> Parameters:
        """Return the parameters of a job that exports for a runtime."""
        return self.parameters("export.py", canonical(runtime=runtime), [module(runtime, "export")])
