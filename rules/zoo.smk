# Zoo: train the checkpoints of zoo/ again from nothing (config/zoo.yaml).


rule train:
    """Train `model` and keep it as TF-Slim and tensorflow/nmt keep theirs."""
    input:
        train=STUDY.train_set,
        calibration=STUDY.calibration_set,
        subwords=STUDY.subwords,
    output:
        checkpoint=PATHS.zoo,
        history=PATHS.history,
        record=PATHS.record(PATHS.zoo),
    log:
        PATHS.log("train", "model"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("train", STUDY.training),
    params:
        **STUDY.train,
    message:
        "Training {wildcards.model}: {log} tells of every epoch"
    script:
        "../workflow/scripts/train.py"
