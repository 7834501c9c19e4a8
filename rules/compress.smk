# Compress: one technique applied to the weights of the parent variant.


rule compress:
    """Make `variant` of `model` by a technique that needs nothing but the parent's weights, such as quantization."""
    input:
        parent=STUDY.parent,
    output:
        weights=PATHS.weights,
        compression=PATHS.compression,
        record=PATHS.record(PATHS.weights),
    log:
        PATHS.log("compress", "model", "variant"),
    wildcard_constraints:
        variant=STUDY.from_weights,
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("compress"),
    params:
        **STUDY.compress,
    message:
        "Compressing {wildcards.model} to {wildcards.variant}"
    script:
        "../workflow/scripts/compress.py"


rule quantize:
    """Make `variant` of `model`: quantize its parent kernel by kernel on the calibration set."""
    input:
        parent=STUDY.parent,
        calibration=STUDY.calibration_set,
        subwords=STUDY.subwords,
        sensitivity=STUDY.scan_for_budget,
    output:
        weights=PATHS.weights,
        compression=PATHS.compression,
        record=PATHS.record(PATHS.weights),
    log:
        PATHS.log("quantize", "model", "variant"),
    wildcard_constraints:
        variant=STUDY.quantized_on_data,
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("quantize", STUDY.learning),
    params:
        **STUDY.quantize,
    message:
        "Quantizing {wildcards.model} to {wildcards.variant}"
    script:
        "../workflow/scripts/quantize.py"


rule rank:
    """Score each filter and unit of `variant` of `model` by its effect on the loss."""
    input:
        weights=PATHS.weights,
        calibration=STUDY.calibration_set,
        subwords=STUDY.subwords,
    output:
        PATHS.importance,
        record=PATHS.record(PATHS.importance),
    log:
        PATHS.log("rank", "model", "variant"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("rank", STUDY.learning),
    params:
        **STUDY.rank,
    message:
        "Ranking the filters or units of {wildcards.model} {wildcards.variant}"
    script:
        "../workflow/scripts/rank.py"


rule prune:
    """Make `variant` of `model`: remove the least important filters and units of its parent, and retrain the rest."""
    input:
        parent=STUDY.parent,
        importance=STUDY.importance,
        train=STUDY.retraining_set,
        calibration=STUDY.pruning_set,
        teacher=STUDY.teacher,
        subwords=STUDY.subwords,
    output:
        weights=PATHS.weights,
        removed=PATHS.compression,
        history=PATHS.retraining_history,
        record=PATHS.record(PATHS.weights),
    log:
        PATHS.log("prune", "model", "variant"),
    wildcard_constraints:
        variant=STUDY.by_pruning,
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("prune", STUDY.retraining),
    params:
        **STUDY.prune,
    message:
        "Pruning {wildcards.model} to {wildcards.variant}"
    script:
        "../workflow/scripts/prune.py"
