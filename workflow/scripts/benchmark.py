"""Measure all variants of a model on a device in one session."""

from pathlib import Path
from typing import TYPE_CHECKING

from tocompress.devices.local import LocalAgent
from tocompress.job import job
from tocompress.measurement.session import BenchmarkPlan, measure
from tocompress.schemas.benchmark import TABLES
from tocompress.settings.benchmark import Session
from tocompress.tables import write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    session = Session.model_validate_json(snakemake.params.settings)
    benchmark = session.benchmark
    plan = BenchmarkPlan(
        model=snakemake.wildcards.model,
        artifacts=dict(zip(session.variants, map(Path, snakemake.input.artifacts), strict=True)),
        inputs=Path(snakemake.input.inputs),
        threads=session.device.threads,
        dequantizations=benchmark.dequantization,
        processes=benchmark.processes,
        block_seconds=benchmark.block_seconds,
        warmup_runs=benchmark.warmup_runs,
        warmup_seconds=benchmark.warmup_seconds,
        minimum_runs=benchmark.minimum_runs,
        maximum_runs=benchmark.maximum_runs,
        profiled_runs=benchmark.profiled_runs,
        seed=benchmark.seed,
    )
    with LocalAgent() as agent:
        tables = measure(agent, plan, lambda done, total, text: print(f"{done}/{total} {text}"))
    for name, schema in TABLES.items():
        write_table(getattr(snakemake.output, name), schema, tables[name])
