"""The names that figures go by, apart from what draws them: naming a target imports no plotting."""

import re

#: What can be drawn: the paper's figures in its order, then others; each has a module in `reporting.figures`.
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
    "zoo_sensitivity",
)


def named_as_pruning(technique: str) -> bool:
    """Whether a technique is called as those that prune are: `pNN...`."""
    return re.match(r"p\d", technique) is not None


def named_as_control(technique: str) -> bool:
    """Return whether a technique is called as the ones that remove nothing and only retrain are: `p00`, `p00_...`."""
    return re.fullmatch(r"p0+(_\w+)?", technique) is not None
