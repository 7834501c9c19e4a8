"""Measure all variants of a model on a device in one session."""

from pathlib import Path

from tocompress.job import job
from tocompress.measurement.benchmark import benchmark, write_session
from tocompress.measurement.subject import Subject
from tocompress.settings.jobs import BenchmarkJob

with job(snakemake):
    session = BenchmarkJob.model_validate_json(snakemake.params.settings)
    keys = dict.fromkeys((runtime, variant) for runtime, variant, _ in session.conditions)
    artifacts = dict(zip(keys, map(Path, snakemake.input.artifacts), strict=True))
    subject = Subject(snakemake.wildcards.model, artifacts, Path(snakemake.input.inputs), session.conditions)
    tables = benchmark(subject, session, Path(snakemake.log[0]))
    files = {name: Path(file) for name, file in snakemake.output.items()}
    write_session(tables, files, keep=session.device.transport == "ssh")
