# Bundle: on request, `snakemake --cores all results/default/bundles/litert/vgg_16/q8`.


rule bundle:
    """Put the artifact of `variant` of `model` for `runtime` into a folder, with a card and a program that runs it."""
    input:
        artifact=STUDY.bundled,
        weights=PATHS.weights,
        study=PATHS.study,
        classes=STUDY.classes,
        subwords=STUDY.subwords,
    output:
        directory(PATHS.bundle),
        record=PATHS.record(PATHS.bundle),
    log:
        PATHS.log("bundle", "runtime", "model", "variant"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("bundle"),
    params:
        **STUDY.bundle,
    message:
        "Bundling {wildcards.model} {wildcards.variant} for {wildcards.runtime}"
    script:
        "../workflow/scripts/bundle.py"
