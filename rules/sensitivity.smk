# Sensitivity: on request, `snakemake --cores all results/default/figures/sensitivity_vgg_16.png`.


rule sensitivity:
    """Scan the accuracy of `model` when each layer alone loses filters or units."""
    input:
        weights=STUDY.trained_weights,
        calibration=STUDY.calibration_set,
        subwords=STUDY.subwords,
    output:
        PATHS.sensitivity,
        record=PATHS.record(PATHS.sensitivity),
    log:
        PATHS.log("sensitivity", "model"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("sensitivity", STUDY.scanning),
    params:
        **STUDY.sensitivity,
    message:
        "Scanning the layers of {wildcards.model}: {log} tells of each"
    script:
        "../workflow/scripts/sensitivity.py"


rule quantization_sensitivity:
    """Scan what `model` loses when each kernel alone is quantized."""
    input:
        weights=STUDY.trained_weights,
        calibration=STUDY.calibration_set,
        subwords=STUDY.subwords,
    output:
        PATHS.quantization_sensitivity,
        record=PATHS.record(PATHS.quantization_sensitivity),
    log:
        PATHS.log("quantization_sensitivity", "model"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("quantization_sensitivity", STUDY.scanning),
    params:
        **STUDY.quantization_sensitivity,
    message:
        "Quantizing the kernels of {wildcards.model} one by one: {log} tells of each"
    script:
        "../workflow/scripts/quantization_sensitivity.py"


rule sensitivity_figure:
    """Draw the scan of `model`, and write the table behind it."""
    input:
        PATHS.sensitivity,
    output:
        **{kind: PATHS.sensitivity_figure(kind) for kind in paths.FIGURE_FORMATS},
        record=PATHS.record(PATHS.sensitivity_figure("png")),
    log:
        PATHS.log("sensitivity_figure", "model"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("sensitivity_figure"),
    params:
        **STUDY.sensitivity_figure,
    message:
        "Drawing the sensitivity of {wildcards.model}"
    script:
        "../workflow/scripts/plot_sensitivity.py"


rule quantization_sensitivity_figure:
    """Draw what `model` loses when each kernel alone is quantized, and write the table behind it."""
    input:
        scan=PATHS.quantization_sensitivity,
        budgeted=STUDY.budgeted,
    output:
        **{kind: PATHS.quantization_sensitivity_figure(kind) for kind in paths.FIGURE_FORMATS},
        record=PATHS.record(PATHS.quantization_sensitivity_figure("png")),
    log:
        PATHS.log("quantization_sensitivity_figure", "model"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("quantization_sensitivity_figure"),
    params:
        **STUDY.quantization_sensitivity_figure,
    message:
        "Drawing what quantization costs the kernels of {wildcards.model}"
    script:
        "../workflow/scripts/plot_quantization_sensitivity.py"
