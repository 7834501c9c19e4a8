"""Measure all variants of a model on a device in one session."""

from pathlib import Path

from tocompress.job import job
from tocompress.measurement.benchmark import benchmark, write_session
from tocompress.measurement.session import Subject
from tocompress.settings.jobs import BenchmarkJob

with job(snakemake):
    session = BenchmarkJob.model_validate_json(snakemake.params.settings)
    artifacts = dict(zip(session.variants, map(Path, snakemake.input.artifacts), strict=True))
    subject = Subject(snakemake.wildcards.model, artifacts, Path(snakemake.input.inputs))
    tables = benchmark(subject, session, Path(snakemake.log[0]))
    files = {name: Path(file) for name, file in snakemake.output.items()}
    write_session(tables, files, keep=session.device.transport == "ssh")
