# Export: turn weights into artifacts that a device loads.


rule trace:
    """Build the network of `model` once, with the shapes of `structure`, and trace its graph with open weights."""
    input:
        weights=PATHS.weights.replace("{variant}", "{structure}"),
    output:
        body=PATHS.body,
        structure=PATHS.structure,
    log:
        PATHS.log("trace", "model", "structure"),
    conda:
        "../envs/environment.yaml"
    params:
        **STUDY.trace,
    message:
        "Tracing {wildcards.model} {wildcards.structure}"
    script:
        "../workflow/scripts/trace.py"


rule export:
    """Fill a traced graph with the weights of `variant` of `model`, and with their dequantization."""
    input:
        STUDY.body,
        weights=PATHS.weights,
    output:
        artifact=PATHS.artifact("tensorflow"),
        facts=PATHS.artifact_facts("tensorflow"),
    log:
        PATHS.log("export_tensorflow", "model", "variant"),
    conda:
        "../envs/environment.yaml"
    params:
        **STUDY.export("tensorflow"),
    message:
        "Exporting {wildcards.model} {wildcards.variant}"
    script:
        "../workflow/scripts/export.py"
