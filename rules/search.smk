# Search: on request, `snakemake --cores all results/default/search/vgg_16/chosen`.


rule search:
    """Find the configuration of `model` that meets the requirements of `search`, by runs of this workflow."""
    input:
        STUDY.searched,
        scan=PATHS.quantization_sensitivity,
    output:
        chosen=directory(PATHS.search("chosen")),
        answer=PATHS.search("answer.json"),
        candidates=PATHS.search("candidates.parquet"),
    log:
        PATHS.log("search", "model"),
    localrule: True
    conda:
        "../envs/environment.yaml"
    threads: STUDY.search_threads
    resources:
        board=1,
    params:
        **STUDY.search,
    message:
        "Searching a configuration of {wildcards.model}: {log} tells of each round"
    script:
        "../workflow/scripts/search.py"
