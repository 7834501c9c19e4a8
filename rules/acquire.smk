# Acquire: the datasets that are made here, and each model's uncompressed weights.


rule images:
    """Render one split of a set of images."""
    output:
        PATHS.images,
    log:
        PATHS.log("images", "dataset", "split"),
    conda:
        "../envs/environment.yaml"
    params:
        settings=STUDY.data_settings,
        code=code_digest("make_images.py"),
        environment=environment_digest("make_images.py"),
    message:
        "Making {wildcards.dataset}, {wildcards.split} images"
    script:
        "../workflow/scripts/make_images.py"


rule sentences:
    """Make one split of a set of sentence pairs."""
    output:
        PATHS.sentences,
    log:
        PATHS.log("sentences", "dataset", "split"),
    conda:
        "../envs/environment.yaml"
    params:
        settings=STUDY.data_settings,
        code=code_digest("make_sentences.py"),
        environment=environment_digest("make_sentences.py"),
    message:
        "Making {wildcards.dataset}, {wildcards.split} sentences"
    script:
        "../workflow/scripts/make_sentences.py"


rule acquire:
    """Fetch a model's checkpoint and read it, or draw its initial weights."""
    output:
        PATHS.weights.replace("{variant}", "fp32"),
    log:
        PATHS.log("acquire", "model"),
    conda:
        "../envs/environment.yaml"
    params:
        settings=STUDY.model_settings,
        code=STUDY.network_code("acquire.py"),
        environment=environment_digest("acquire.py"),
    message:
        "Acquiring {wildcards.model}"
    script:
        "../workflow/scripts/acquire.py"
