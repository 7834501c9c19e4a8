"""The names of the figures, apart from what draws them: naming a target imports no plotting."""

#: The figures of the paper that are drawn, in its order; each has a module in `reporting.figures`.
PAPER_FIGURES = (
    "table1_models",
    "fig06_operations",
    "fig13_quantization",
    "fig27_memory",
    "fig28_dequantization",
    "fig32_quantization_sizes",
)

#: All that can be drawn: those of the paper, and those of other studies.
FIGURES = (*PAPER_FIGURES, "zoo_sensitivity")
