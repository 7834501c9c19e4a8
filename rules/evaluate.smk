# Evaluate: the artifact itself is run on the test set.


rule predict:
    """Run an artifact over its test set."""
    input:
        artifact=PATHS.artifact,
        test=STUDY.test_set,
        subwords=STUDY.subwords,
    output:
        PATHS.predictions,
    log:
        PATHS.log("predict", "model", "variant"),
    wildcard_constraints:
        model=STUDY.predicted(whole=True),
    conda:
        "../envs/environment.yaml"
    params:
        settings=STUDY.prediction_settings,
        code=code_digest("predict.py"),
        environment=environment_digest("predict.py"),
    message:
        "Running {wildcards.model} {wildcards.variant} on its test set"
    script:
        "../workflow/scripts/predict.py"


rule predict_shard:
    """Run an artifact over its share of a large test set."""
    input:
        artifact=PATHS.artifact,
        test=STUDY.test_set,
        subwords=STUDY.subwords,
    output:
        PATHS.shard,
    log:
        PATHS.log("predict_shard", "model", "variant", "scatteritem"),
    wildcard_constraints:
        model=STUDY.predicted(whole=False),
    conda:
        "../envs/environment.yaml"
    params:
        settings=STUDY.prediction_settings,
        code=code_digest("predict.py"),
        environment=environment_digest("predict.py"),
    message:
        "Running {wildcards.model} {wildcards.variant} on its test set, share {wildcards.scatteritem}"
    script:
        "../workflow/scripts/predict.py"


rule gather:
    """Put the shares of a variant's predictions together."""
    input:
        gather.shards(PATHS.shard, model="{model}", variant="{variant}"),
    output:
        PATHS.predictions,
    log:
        PATHS.log("gather", "model", "variant"),
    wildcard_constraints:
        model=STUDY.predicted(whole=False),
    conda:
        "../envs/environment.yaml"
    params:
        code=code_digest("gather.py"),
        environment=environment_digest("gather.py"),
    message:
        "Gathering the predictions of {wildcards.model} {wildcards.variant}"
    script:
        "../workflow/scripts/gather.py"


rule score:
    """Score predictions, alone and against those of the uncompressed model."""
    input:
        predictions=PATHS.predictions,
        baseline=PATHS.predictions.replace("{variant}", "fp32"),
    output:
        PATHS.metrics,
    log:
        PATHS.log("score", "model", "variant"),
    conda:
        "../envs/environment.yaml"
    params:
        settings=STUDY.score_settings,
        code=code_digest("score.py"),
        environment=environment_digest("score.py"),
    message:
        "Scoring {wildcards.model} {wildcards.variant}"
    script:
        "../workflow/scripts/score.py"
