# Evaluate: the artifact itself is run on the test set.


rule predict:
    """Run the artifact of `variant` of `model` for `runtime` over its test set."""
    input:
        artifact=STUDY.artifact,
        test=STUDY.judged_set,
        subwords=STUDY.subwords,
        facts=STUDY.facts_of_own,
    output:
        PATHS.predictions,
        record=PATHS.record(PATHS.predictions),
    log:
        PATHS.log("predict", "runtime", "model", "variant"),
    wildcard_constraints:
        model=STUDY.predicted(whole=True),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("predict", STUDY.judging),
    params:
        **STUDY.predict,
    message:
        "Running {wildcards.model} {wildcards.variant} on its test set in {wildcards.runtime}"
    script:
        "../workflow/scripts/predict.py"


rule predict_shard:
    """Run the artifact of `variant` of `model` for `runtime` over the shard `scatteritem` of a large test set."""
    input:
        artifact=STUDY.artifact,
        test=STUDY.judged_set,
        subwords=STUDY.subwords,
        facts=STUDY.facts_of_own,
    output:
        PATHS.shard,
        record=PATHS.record(PATHS.shard),
    log:
        PATHS.log("predict_shard", "runtime", "model", "variant", "scatteritem"),
    wildcard_constraints:
        model=STUDY.predicted(whole=False),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("predict_shard", STUDY.judging),
    params:
        **STUDY.predict,
    message:
        "Running {wildcards.model} {wildcards.variant} on its test set in {wildcards.runtime}, shard {wildcards.scatteritem}"
    script:
        "../workflow/scripts/predict.py"


rule gather:
    """Put the shards of the predictions of `variant` of `model` with `runtime` together."""
    input:
        gather.shards(PATHS.shard, runtime="{runtime}", model="{model}", variant="{variant}"),
    output:
        PATHS.predictions,
        record=PATHS.record(PATHS.predictions),
    log:
        PATHS.log("gather", "runtime", "model", "variant"),
    wildcard_constraints:
        model=STUDY.predicted(whole=False),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("gather"),
    params:
        **STUDY.gather,
    message:
        "Gathering the predictions of {wildcards.model} {wildcards.variant} in {wildcards.runtime}"
    script:
        "../workflow/scripts/gather.py"


rule score:
    """Score the predictions of `variant` of `model` with `runtime`, alone and against the uncompressed model's."""
    input:
        predictions=PATHS.predictions,
        baseline=PATHS.predictions.replace("{variant}", BASELINE),
        classes=STUDY.classes,
    output:
        PATHS.metrics,
        record=PATHS.record(PATHS.metrics),
    log:
        PATHS.log("score", "runtime", "model", "variant"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("score"),
    params:
        **STUDY.score,
    message:
        "Scoring {wildcards.model} {wildcards.variant} in {wildcards.runtime}"
    script:
        "../workflow/scripts/score.py"
