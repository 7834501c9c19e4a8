# Zoo: train the checkpoints of zoo/ again from nothing (config/zoo.yaml).


rule train:
    """Train a model and save its checkpoint in the format of TF-Slim or tensorflow/nmt."""
    input:
        train=STUDY.train_set,
        calibration=STUDY.calibration_set,
        subwords=STUDY.subwords,
    output:
        checkpoint=PATHS.zoo,
        history=PATHS.history,
    log:
        PATHS.log("train", "model"),
    conda:
        "../envs/environment.yaml"
    params:
        **STUDY.train,
    message:
        "Training {wildcards.model}: {log} tells of every epoch"
    script:
        "../workflow/scripts/train.py"
