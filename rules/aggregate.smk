# Aggregate: one tidy table of the whole study.


rule aggregate:
    """Put all results into one table, one row per value."""
    input:
        **{
            table: STUDY.benchmarks(table)
            for table in ("latency", "loading", "memory", "power", "windows", "operations", "session")
        },
        artifacts=STUDY.artifact_facts,
        metrics=STUDY.metrics,
        pruning=STUDY.pruning,
    output:
        PATHS.study,
        record=PATHS.record(PATHS.study),
    log:
        PATHS.log("aggregate"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("aggregate"),
    params:
        **STUDY.aggregate,
    message:
        "Aggregating the study"
    script:
        "../workflow/scripts/aggregate.py"


rule claims:
    """Put the paper's numbers beside the study's, each with a verdict."""
    input:
        study=PATHS.study,
        claims=PATHS.stated,
    output:
        PATHS.claims,
        record=PATHS.record(PATHS.claims),
    log:
        PATHS.log("claims"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("claims"),
    params:
        **STUDY.claims,
    message:
        "Checking the paper's claims"
    script:
        "../workflow/scripts/claims.py"
