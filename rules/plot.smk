# Plot: figures, the tables behind them, and the report.


rule figure:
    """Draw a figure, and write the table behind it."""
    input:
        PATHS.study,
    output:
        **{kind: PATHS.figure(kind) for kind in paths.FIGURE_FORMATS},
    log:
        PATHS.log("figure", "figure"),
    conda:
        "../envs/environment.yaml"
    params:
        settings=STUDY.plot_settings,
        code=STUDY.figure_code("plot.py"),
        environment=environment_digest("plot.py"),
    message:
        "Drawing {wildcards.figure}"
    script:
        "../workflow/scripts/plot.py"


rule report:
    """Put the study on one page."""
    input:
        study=PATHS.study,
        claims=PATHS.claims,
        figures=[figure for figure in STUDY.figures if figure.endswith(".png")],
        tables=[figure for figure in STUDY.figures if figure.endswith(".csv")],
        sessions=STUDY.benchmarks("session"),
        templates=expand("workflow/tocompress/reporting/templates/report.{part}", part=["html.j2", "css", "js"]),
    output:
        PATHS.report,
    log:
        PATHS.log("report"),
    conda:
        "../envs/environment.yaml"
    params:
        settings=STUDY.report_settings,
        code=code_digest("report.py", *STUDY.figure_modules),
        environment=environment_digest("report.py"),
    message:
        "Writing the report"
    script:
        "../workflow/scripts/report.py"
