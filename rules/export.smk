# Export: weights to what a device loads.


rule trace:
    """Build a network once and trace its graph, weights left open."""
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
        settings=STUDY.decoding,
        code=STUDY.network_code("trace.py"),
        environment=environment_digest("trace.py"),
    message:
        "Tracing {wildcards.model} {wildcards.structure}"
    script:
        "../workflow/scripts/trace.py"


rule export:
    """Fill a traced graph with the weights of a variant, dequantization included."""
    input:
        STUDY.body,
        weights=PATHS.weights,
    output:
        artifact=PATHS.artifact,
        facts=PATHS.artifact_facts,
    log:
        PATHS.log("export", "model", "variant"),
    conda:
        "../envs/environment.yaml"
    params:
        code=code_digest("export.py"),
        environment=environment_digest("export.py"),
    message:
        "Exporting {wildcards.model} {wildcards.variant}"
    script:
        "../workflow/scripts/export.py"
