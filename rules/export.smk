# Export: turn weights into artifacts that a device loads.


rule trace:
    """Build the network of `model` once, with the shapes of `structure`, and trace its graph with open weights."""
    input:
        weights=PATHS.weights.replace("{variant}", "{structure}"),
    output:
        body=PATHS.body,
        structure=PATHS.structure,
        record=PATHS.record(PATHS.body),
    log:
        PATHS.log("trace", "model", "structure"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("trace"),
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
        record=PATHS.record(PATHS.artifact("tensorflow")),
    log:
        PATHS.log("export_tensorflow", "model", "variant"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("export"),
    params:
        **STUDY.export("tensorflow"),
    message:
        "Exporting {wildcards.model} {wildcards.variant}"
    script:
        "../workflow/scripts/export.py"


rule trace_litert:
    """Convert the network of `model`, with the shapes of `structure`, to a flatbuffer, and find its weights in it."""
    input:
        weights=PATHS.weights.replace("{variant}", "{structure}"),
        body=PATHS.body,
    output:
        body=PATHS.litert_body,
        places=PATHS.places,
        record=PATHS.record(PATHS.litert_body),
    log:
        PATHS.log("trace_litert", "model", "structure"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("trace_litert"),
    params:
        **STUDY.trace_litert,
    message:
        "Converting {wildcards.model} {wildcards.structure}"
    script:
        "../workflow/scripts/trace_litert.py"


rule calibrate:
    """Run `variant` of `model` in floats on calibration images, and record the extremes of its activations."""
    input:
        STUDY.litert_body,
        weights=PATHS.weights,
        calibration=STUDY.calibration_set,
    output:
        PATHS.extremes,
        record=PATHS.record(PATHS.extremes),
    log:
        PATHS.log("calibrate", "model", "variant"),
    wildcard_constraints:
        variant=STUDY.in_integers,
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("calibrate", STUDY.learning),
    params:
        **STUDY.calibrate,
    message:
        "Calibrating {wildcards.model} {wildcards.variant}"
    script:
        "../workflow/scripts/calibrate.py"


rule export_litert:
    """Fill a flatbuffer with the weights of `variant` of `model`, as floats or as integers."""
    input:
        STUDY.litert_body,
        weights=PATHS.weights,
        extremes=STUDY.extremes,
    output:
        artifact=PATHS.artifact("litert"),
        facts=PATHS.artifact_facts("litert"),
        record=PATHS.record(PATHS.artifact("litert")),
    log:
        PATHS.log("export_litert", "model", "variant"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("export_litert"),
    params:
        **STUDY.export_litert,
    message:
        "Exporting {wildcards.model} {wildcards.variant} for LiteRT"
    script:
        "../workflow/scripts/export_litert.py"
