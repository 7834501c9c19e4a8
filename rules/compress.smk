# Compress: one technique applied to the weights of the parent variant.


rule quantize:
    """Store kernels in fewer bits, without retraining."""
    input:
        parent=STUDY.parent,
    output:
        weights=PATHS.weights,
        compression=PATHS.compression,
    log:
        PATHS.log("quantize", "model", "variant"),
    wildcard_constraints:
        variant=STUDY.by_method("quantize"),
    conda:
        "../envs/environment.yaml"
    params:
        **STUDY.quantize,
    message:
        "Quantizing {wildcards.model} to {wildcards.variant}"
    script:
        "../workflow/scripts/quantize.py"


rule rank:
    """Score each filter and unit of a variant by its effect on the loss."""
    input:
        weights=PATHS.weights,
        calibration=STUDY.calibration_set,
        subwords=STUDY.subwords,
    output:
        PATHS.importance,
    log:
        PATHS.log("rank", "model", "variant"),
    conda:
        "../envs/environment.yaml"
    params:
        **STUDY.rank,
    message:
        "Ranking the filters or units of {wildcards.model} {wildcards.variant}"
    script:
        "../workflow/scripts/rank.py"


rule prune:
    """Remove the least important filters and units, and retrain the rest."""
    input:
        parent=STUDY.parent,
        importance=STUDY.importance,
        train=STUDY.retraining_set,
        calibration=STUDY.pruning_set,
        subwords=STUDY.subwords,
    output:
        weights=PATHS.weights,
        removed=PATHS.compression,
        history=PATHS.retraining_history,
    log:
        PATHS.log("prune", "model", "variant"),
    wildcard_constraints:
        variant=STUDY.by_method("prune"),
    conda:
        "../envs/environment.yaml"
    params:
        **STUDY.prune,
    message:
        "Pruning {wildcards.model} to {wildcards.variant}"
    script:
        "../workflow/scripts/prune.py"
