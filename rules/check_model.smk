# Check a model: on request, `snakemake --cores 1 results/default/check/vgg_16.txt`.


rule check_model:
    """Describe `model`: its parts, those that are folded, quantized and pruned, and the variants of each runtime."""
    input:
        weights=PATHS.weights.replace("{variant}", BASELINE),
    output:
        PATHS.model_check,
        record=PATHS.record(PATHS.model_check),
    log:
        PATHS.log("check_model", "model"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("check_model"),
    params:
        **STUDY.check_model,
    message:
        "Checking {wildcards.model}"
    script:
        "../workflow/scripts/check_model.py"
