# Search: on request, `snakemake --cores all results/default/search/vgg_16/chosen`. Its figure:
# `snakemake --cores all results/default/figures/search_vgg_16.png`.


rule search:
    """Find the configuration of `model` that meets the requirements of `search`, by runs of this workflow."""
    input:
        STUDY.searched,
        scan=PATHS.quantization_sensitivity,
    output:
        chosen=directory(PATHS.search("chosen")),
        answer=PATHS.search("answer.json"),
        candidates=PATHS.search("candidates.parquet"),
        record=PATHS.record(PATHS.search("chosen")),
    log:
        PATHS.log("search", "model"),
    localrule: True
    conda:
        ENVIRONMENT
    threads: STUDY.search_threads
    resources:
        **STUDY.board_of_search,
    params:
        **STUDY.search,
    message:
        "Searching a configuration of {wildcards.model}: {log} tells of each round"
    script:
        "../workflow/scripts/search.py"


rule search_figure:
    """Draw the candidates of the search of `model`, and write the table behind it."""
    input:
        answer=PATHS.search("answer.json"),
        candidates=PATHS.search("candidates.parquet"),
    output:
        **{kind: PATHS.search_figure(kind) for kind in paths.FIGURE_FORMATS},
        record=PATHS.record(PATHS.search_figure("png")),
    log:
        PATHS.log("search_figure", "model"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("search_figure"),
    params:
        **STUDY.search_figure,
    message:
        "Drawing the search of {wildcards.model}"
    script:
        "../workflow/scripts/plot_search.py"
