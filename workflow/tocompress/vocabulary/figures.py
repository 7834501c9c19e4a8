"""The figures that can be drawn."""

from __future__ import annotations

#: Each figure and the section of the report that shows it: the paper's figures in its order, then others. Each has a
#: module in `reporting.figures`.
FIGURES = {
    "table1_models": "accuracy",
    "fig05_motivation": "time",
    "fig06_operations": "time",
    "fig13_quantization": "time",
    "fig20_pruning": "pruning",
    "fig24_thresholds": "pruning",
    "fig27_memory": "time",
    "fig28_dequantization": "time",
    "fig32_quantization_sizes": "accuracy",
    "fig36_pruning_sizes": "pruning",
    "fig41_combination": "pruning",
    "pareto": "answer",
    "regimes": "time",
    "zoo_sensitivity": "accuracy",
}
