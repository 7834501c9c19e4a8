# Compare: on request, `snakemake --cores 1 results/smoke/compare/default.html`.


rule compare:
    """Compare this study with the results of the study `other`."""
    input:
        study=PATHS.study,
        here=STUDY.files_here,
        # As they are: a comparison never makes another study run.
        other=before_update(STUDY.other_study),
        there=before_update(STUDY.files_there),
    output:
        page=PATHS.comparison("html"),
        table=PATHS.comparison("parquet"),
        record=PATHS.record(PATHS.comparison("html")),
    log:
        PATHS.log("compare", "other"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("compare"),
    params:
        **STUDY.compare,
    message:
        "Comparing with {wildcards.other}"
    script:
        "../workflow/scripts/compare.py"
