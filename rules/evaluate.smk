# Evaluate: the artifact itself is run on the test set.


rule predict:
    """Run an artifact over its test set."""
    input:
        artifact=STUDY.artifact,
        test=STUDY.test_set,
        subwords=STUDY.subwords,
    output:
        PATHS.predictions,
    log:
        PATHS.log("predict", "runtime", "model", "variant"),
    wildcard_constraints:
        model=STUDY.predicted(whole=True),
    conda:
        "../envs/environment.yaml"
    params:
        **STUDY.predict,
    message:
        "Running {wildcards.model} {wildcards.variant} on its test set"
    script:
        "../workflow/scripts/predict.py"


rule predict_shard:
    """Run an artifact over its share of a large test set."""
    input:
        artifact=STUDY.artifact,
        test=STUDY.test_set,
        subwords=STUDY.subwords,
    output:
        PATHS.shard,
    log:
        PATHS.log("predict_shard", "runtime", "model", "variant", "scatteritem"),
    wildcard_constraints:
        model=STUDY.predicted(whole=False),
    conda:
        "../envs/environment.yaml"
    params:
        **STUDY.predict,
    message:
        "Running {wildcards.model} {wildcards.variant} on its test set, share {wildcards.scatteritem}"
    script:
        "../workflow/scripts/predict.py"


rule gather:
    """Put the shares of a variant's predictions together."""
    input:
        gather.shards(PATHS.shard, runtime="{runtime}", model="{model}", variant="{variant}"),
    output:
        PATHS.predictions,
    log:
        PATHS.log("gather", "runtime", "model", "variant"),
    wildcard_constraints:
        model=STUDY.predicted(whole=False),
    conda:
        "../envs/environment.yaml"
    params:
        **STUDY.gather,
    message:
        "Gathering the predictions of {wildcards.model} {wildcards.variant}"
    script:
        "../workflow/scripts/gather.py"


rule score:
    """Score predictions, alone and against the uncompressed model's predictions."""
    input:
        predictions=PATHS.predictions,
        baseline=PATHS.predictions.replace("{variant}", BASELINE),
    output:
        PATHS.metrics,
    log:
        PATHS.log("score", "runtime", "model", "variant"),
    conda:
        "../envs/environment.yaml"
    params:
        **STUDY.score,
    message:
        "Scoring {wildcards.model} {wildcards.variant}"
    script:
        "../workflow/scripts/score.py"
