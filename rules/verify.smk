# Verify: on request, `snakemake --cores 1 verify`.


rule verify:
    """Recompute all digests, and name each file that differs from its record."""
    log:
        PATHS.log("verify"),
    localrule: True
    conda:
        ENVIRONMENT
    params:
        folders=[PATHS.root, PATHS.downloads],
        targets=[PATHS.report, PATHS.study, PATHS.claims, *STUDY.figures()],
    message:
        "Verifying the results"
    script:
        "../workflow/scripts/verify.py"
