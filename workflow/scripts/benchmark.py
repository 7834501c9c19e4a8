"""Measure all variants of a model on a device in one session."""

from pathlib import Path
from typing import TYPE_CHECKING

from tocompress.job import job
from tocompress.measurement.benchmark import benchmark
from tocompress.measurement.session import Subject
from tocompress.schemas.benchmark import TABLES
from tocompress.settings.benchmark import Session
from tocompress.tables import write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    session = Session.model_validate_json(snakemake.params.settings)
    artifacts = dict(zip(session.variants, map(Path, snakemake.input.artifacts), strict=True))
    subject = Subject(snakemake.wildcards.model, artifacts, Path(snakemake.input.inputs))
    tables = benchmark(subject, session)
    for name, schema in TABLES.items():
        write_table(getattr(snakemake.output, name), schema, tables[name])
