# Sensitivity: on request, `snakemake --cores all results/default/figures/sensitivity_vgg_16.png`.


rule sensitivity:
    """Scan the accuracy that is left when each layer alone loses filters or units."""
    input:
        weights=STUDY.trained_weights,
        calibration=STUDY.calibration_set,
        subwords=STUDY.subwords,
    output:
        PATHS.sensitivity,
    log:
        PATHS.log("sensitivity", "model"),
    conda:
        "../envs/environment.yaml"
    params:
        settings=STUDY.sensitivity_settings,
        code=STUDY.network_code("sensitivity.py"),
        environment=environment_digest("sensitivity.py"),
    message:
        "Scanning the layers of {wildcards.model}: {log} tells of each"
    script:
        "../workflow/scripts/sensitivity.py"


rule sensitivity_figure:
    """Draw a scan, and write the table behind it."""
    input:
        PATHS.sensitivity,
    output:
        **{kind: PATHS.sensitivity_figure(kind) for kind in paths.FIGURE_FORMATS},
    log:
        PATHS.log("sensitivity_figure", "model"),
    conda:
        "../envs/environment.yaml"
    params:
        settings=STUDY.sensitivity_figure_settings,
        code=code_digest("plot_sensitivity.py"),
        environment=environment_digest("plot_sensitivity.py"),
    message:
        "Drawing the sensitivity of {wildcards.model}"
    script:
        "../workflow/scripts/plot_sensitivity.py"
