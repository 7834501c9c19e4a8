"""The names of the figures, apart from what draws them: naming a target imports no plotting."""

#: What can be drawn: the paper's figures in its order, then others; each has a module in `reporting.figures`.
FIGURES = (
    "table1_models",
    "fig06_operations",
    "fig13_quantization",
    "fig27_memory",
    "fig28_dequantization",
    "fig32_quantization_sizes",
    "zoo_sensitivity",
)
