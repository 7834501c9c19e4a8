# Publish: on request, `snakemake --cores 1 results/default/package.zip`.


rule package:
    """Put the results of the study into a zip, with all that tells how they were made."""
    input:
        report=PATHS.report,
        study=PATHS.study,
        claims=PATHS.claims,
        figures=STUDY.figures(),
    output:
        PATHS.package,
        record=PATHS.record(PATHS.package),
    log:
        PATHS.log("package"),
    localrule: True
    conda:
        ENVIRONMENT
    params:
        **STUDY.package,
        downloads=PATHS.downloads,
    message:
        "Packing the study"
    script:
        "../workflow/scripts/package.py"
