"""The figures that can be drawn."""

from __future__ import annotations

#: The paper's figures in its order, then others. Each has a module in `reporting.figures`.
FIGURES = (
    "table1_models",
    "fig05_motivation",
    "fig06_operations",
    "fig13_quantization",
    "fig20_pruning",
    "fig24_thresholds",
    "fig27_memory",
    "fig28_dequantization",
    "fig32_quantization_sizes",
    "fig36_pruning_sizes",
    "fig41_combination",
    "pareto",
    "regimes",
    "zoo_sensitivity",
)
