"""Write a variant's flatbuffer and the table of its facts."""

from pathlib import Path

from tocompress.job import job
from tocompress.runtimes.litert.export import write_artifact
from tocompress.schemas.study import ARTIFACT, STRUCTURE
from tocompress.settings.jobs import ExportJob
from tocompress.tables import read_table, write_table

with job(snakemake):
    settings = ExportJob.model_validate_json(snakemake.params.settings)
    body, places, structure = snakemake.input[:3]
    facts = write_artifact(
        body,
        places,
        snakemake.input.weights,
        snakemake.output.artifact,
        read_table(structure, STRUCTURE),
        extremes=next(map(Path, snakemake.input.extremes), None),
        activations=settings.activations,
        range_quantile=settings.range_quantile,
    )
    write_table(snakemake.output.facts, ARTIFACT, facts.assign(runtime="litert"))
