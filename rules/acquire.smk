# Acquire: files from elsewhere, the datasets, and each model's uncompressed weights. Only `download` uses the network.


rule download:
    """Fetch the file of `address`, or check an existing one. With a known digest, a stopped download continues."""

    # The digest alone makes a file the right one, whatever fetched it from any mirror, so there are no parameters.
    output:
        file=update(PATHS.download),
        digest=update(PATHS.download_digest),
        record=update(PATHS.download_record),
    log:
        "results/downloads/logs/{address}.log",
    localrule: True
    conda:
        ENVIRONMENT
    message:
        "Downloading {wildcards.address}"
    script:
        "../workflow/scripts/download.py"


rule extract:
    """Take the file `member` of `dataset` out of its archive."""
    input:
        archive=ancient(STUDY.archive),
        digest=ancient(STUDY.archive_digest),
    output:
        PATHS.texts,
        record=PATHS.record(PATHS.texts),
    log:
        PATHS.log("extract", "dataset", "member"),
    wildcard_constraints:
        dataset=STUDY.archived,
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("extract"),
    params:
        **STUDY.extract,
    message:
        "Extracting {wildcards.member}"
    script:
        "../workflow/scripts/extract.py"


rule images:
    """Render the images of one `split` of `dataset`."""
    output:
        PATHS.images,
        record=PATHS.record(PATHS.images),
    log:
        PATHS.log("images", "dataset", "split"),
    wildcard_constraints:
        dataset=STUDY.made("images"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("images"),
    params:
        **STUDY.split,
    message:
        "Making {wildcards.dataset}, {wildcards.split} images"
    script:
        "../workflow/scripts/make_split.py"


rule sentences:
    """Make the sentence pairs of one `split` of `dataset`."""
    output:
        PATHS.sentences,
        record=PATHS.record(PATHS.sentences),
    log:
        PATHS.log("sentences", "dataset", "split"),
    wildcard_constraints:
        dataset=STUDY.made("sentences"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("sentences"),
    params:
        **STUDY.split,
    message:
        "Making {wildcards.dataset}, {wildcards.split} sentences"
    script:
        "../workflow/scripts/make_split.py"


rule photographs:
    """Find the photographs of one `split` of `dataset`, and their labels."""
    input:
        photographs=ancient(STUDY.photograph_files),
        labels=STUDY.label_files,
    output:
        PATHS.photographs,
        record=PATHS.record(PATHS.photographs),
    log:
        PATHS.log("photographs", "dataset", "split"),
    wildcard_constraints:
        dataset=STUDY.datasets("imagenet"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("photographs"),
    params:
        **STUDY.photographs,
    message:
        "Finding {wildcards.dataset}, {wildcards.split} photographs"
    script:
        "../workflow/scripts/find_photographs.py"


rule pictures:
    """Find the pictures of one `split` of `dataset`, decode each once, and number their classes."""
    input:
        pictures=ancient(STUDY.picture_files),
        classes=STUDY.class_file,
    output:
        PATHS.photographs,
        record=PATHS.record(PATHS.photographs),
    log:
        PATHS.log("pictures", "dataset", "split"),
    wildcard_constraints:
        dataset=STUDY.datasets("folders"),
    conda:
        ENVIRONMENT
    threads: 4
    resources:
        **STUDY.resources("pictures"),
    params:
        **STUDY.pictures,
        files=STUDY.listing,
    message:
        "Finding {wildcards.dataset}, {wildcards.split} pictures"
    script:
        "../workflow/scripts/find_pictures.py"


rule corpus:
    """Read one `split` of `dataset`, a corpus of sentence pairs."""
    input:
        test=STUDY.test_texts,
        training=ancient(STUDY.training_texts),
    output:
        PATHS.sentences,
        record=PATHS.record(PATHS.sentences),
    log:
        PATHS.log("corpus", "dataset", "split"),
    wildcard_constraints:
        dataset=STUDY.datasets("wmt"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("corpus"),
    params:
        **STUDY.corpus,
    message:
        "Reading {wildcards.dataset}, {wildcards.split} sentences"
    script:
        "../workflow/scripts/read_corpus.py"


rule acquire:
    """Read the checkpoint of `model`, or draw its initial weights."""
    input:
        checked=ancient(STUDY.checked_checkpoint),
        unchecked=STUDY.unchecked_checkpoint,
        digest=ancient(STUDY.checkpoint_digest),
        vocabularies=STUDY.vocabularies,
    output:
        PATHS.weights.replace("{variant}", BASELINE),
        record=PATHS.record(PATHS.weights.replace("{variant}", BASELINE)),
    log:
        PATHS.log("acquire", "model"),
    wildcard_constraints:
        model=STUDY.networks,
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("acquire"),
    params:
        **STUDY.acquire,
    message:
        "Acquiring {wildcards.model}"
    script:
        "../workflow/scripts/acquire.py"


rule import_model:
    """Read the file that a user brings as `model`, and turn its graph into one that every stage can follow."""

    # The parameter `files` tells of any change, also to an older file.
    input:
        ancient(STUDY.model_files),
    output:
        PATHS.weights.replace("{variant}", BASELINE),
        record=PATHS.record(PATHS.weights.replace("{variant}", BASELINE)),
    log:
        PATHS.log("import_model", "model"),
    wildcard_constraints:
        model=STUDY.own,
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("import_model"),
    params:
        **STUDY.import_model,
        files=STUDY.model_listing,
    message:
        "Importing {wildcards.model}"
    script:
        "../workflow/scripts/import_model.py"
