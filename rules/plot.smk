# Plot: figures, the tables behind them, and the report.


rule figure:
    """Draw `figure`, and write the table behind it."""
    input:
        PATHS.study,
    output:
        png=report(
            PATHS.figure("png"),
            caption="../workflow/report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}", "as": "picture"},
        ),
        pdf=PATHS.figure("pdf"),
        svg=PATHS.figure("svg"),
        csv=report(
            PATHS.figure("csv"),
            caption="../workflow/report/table.rst",
            category="Figures",
            labels={"figure": "{figure}", "as": "table"},
        ),
        record=PATHS.record(PATHS.figure("png")),
    log:
        PATHS.log("figure", "figure"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("figure"),
    params:
        **STUDY.figure,
    message:
        "Drawing {wildcards.figure}"
    script:
        "../workflow/scripts/plot.py"


rule report:
    """Put the study on one page."""
    input:
        study=PATHS.study,
        claims=PATHS.claims,
        figures=STUDY.figures("svg"),
        tables=STUDY.figures("csv"),
        sessions=STUDY.benchmarks("session"),
        times=STUDY.benchmarks("latency"),
        # As they are: a report makes no search due, which runs on request alone.
        answers=before_update(STUDY.found("answer.json")),
        candidates=before_update(STUDY.found("candidates.parquet")),
    output:
        report(PATHS.report, caption="../workflow/report/summary.rst", category="Summary", labels={"page": "the study"}),
        record=PATHS.record(PATHS.report),
    log:
        PATHS.log("report"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("report"),
    params:
        **STUDY.report,
    message:
        "Writing the report"
    script:
        "../workflow/scripts/report.py"
