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
        variant=STUDY.quantized,
    conda:
        "../envs/environment.yaml"
    params:
        settings=STUDY.technique_settings,
        code=code_digest("quantize.py"),
        environment=environment_digest("quantize.py"),
    message:
        "Quantizing {wildcards.model} to {wildcards.variant}"
    script:
        "../workflow/scripts/quantize.py"
