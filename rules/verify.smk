# Verify: on request, `snakemake --cores 1 verify`.


rule verify:
    """Recompute all digests, and name what is not as its record, this code or this config says."""
    log:
        PATHS.log("verify"),
    localrule: True
    conda:
        "../envs/environment.yaml"
    params:
        folders=[PATHS.root, PATHS.downloads],
        targets=[PATHS.report, PATHS.study, PATHS.claims, *STUDY.figures()],
        now=given_now(workflow, STUDY.study, PATHS.root, PATHS.downloads),
    message:
        "Verifying the results"
    script:
        "../workflow/scripts/verify.py"
