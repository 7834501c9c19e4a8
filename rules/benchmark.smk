# Benchmark: all variants of a model in one session on a device, interleaved.


rule inputs:
    """Choose and preprocess the fixed inputs that `model` is timed on."""
    input:
        test=STUDY.test_set,
        subwords=STUDY.subwords,
        facts=STUDY.facts_of_own,
    output:
        PATHS.inputs,
    log:
        PATHS.log("inputs", "model"),
    conda:
        "../envs/environment.yaml"
    params:
        **STUDY.inputs,
    message:
        "Choosing benchmark inputs of {wildcards.model}"
    script:
        "../workflow/scripts/inputs.py"


rule benchmark:
    """Measure all variants of `model` on `device`. On this machine nothing else runs meanwhile."""
    input:
        artifacts=STUDY.artifacts,
        inputs=PATHS.inputs,
    output:
        **{table: PATHS.benchmark(table) for table in paths.BENCHMARK_TABLES},
    log:
        PATHS.log("benchmark", "device", "model"),
    conda:
        "../envs/environment.yaml"
    threads: STUDY.benchmark_threads
    resources:
        board=1,
    params:
        **STUDY.benchmark,
    message:
        "Measuring {wildcards.model} on {wildcards.device}"
    script:
        "../workflow/scripts/benchmark.py"
