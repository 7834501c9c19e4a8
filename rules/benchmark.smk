# Benchmark: all variants of a model in one session on a device, interleaved.


rule inputs:
    """Choose and preprocess the fixed inputs that `model` is timed on."""
    input:
        test=STUDY.test_set,
        subwords=STUDY.subwords,
        facts=STUDY.facts_of_own,
    output:
        PATHS.inputs,
        record=PATHS.record(PATHS.inputs),
    log:
        PATHS.log("inputs", "model"),
    conda:
        ENVIRONMENT
    resources:
        **STUDY.resources("inputs"),
    params:
        **STUDY.inputs,
    message:
        "Choosing benchmark inputs of {wildcards.model}"
    script:
        "../workflow/scripts/inputs.py"


rule benchmark:
    """Measure all variants of `model` on `device`. On this machine, or a node of a cluster, nothing else runs meanwhile."""
    input:
        artifacts=STUDY.artifacts,
        inputs=PATHS.inputs,
    output:
        **{table: PATHS.benchmark(table) for table in paths.BENCHMARK_TABLES},
        record=PATHS.record(PATHS.benchmark("session")),
    log:
        PATHS.log("benchmark", "device", "model"),
    wildcard_constraints:
        device=STUDY.on("local"),
    conda:
        ENVIRONMENT
    threads: STUDY.benchmark_threads
    resources:
        **STUDY.node,
        **STUDY.resources("benchmark", STUDY.measuring),
    params:
        **STUDY.benchmark,
    message:
        "Measuring {wildcards.model} on {wildcards.device}"
    script:
        "../workflow/scripts/benchmark.py"


use rule benchmark as benchmark_board with:
    wildcard_constraints:
        device=STUDY.on("ssh"),
    localrule: True
    threads: 1
    resources:
        **STUDY.board_of_device,


rule mode:
    """Take one power mode of a device out of the session that measured `model` in all its modes."""
    input:
        **{table: STUDY.in_all_modes(table) for table in paths.BENCHMARK_TABLES},
    output:
        **{table: PATHS.benchmark_in_mode(table) for table in paths.BENCHMARK_TABLES},
        record=PATHS.record(PATHS.benchmark_in_mode("session")),
    log:
        PATHS.log("mode", "in_mode", "model"),
    localrule: True
    conda:
        ENVIRONMENT
    params:
        **STUDY.mode,
    message:
        "Taking {wildcards.in_mode} out of the session of {wildcards.model}"
    script:
        "../workflow/scripts/mode.py"
