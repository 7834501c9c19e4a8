"""Write the artifact of a variant and the table of its facts."""

from typing import TYPE_CHECKING

from tocompress.job import job
from tocompress.runtimes.tensorflow.export import export_variant
from tocompress.schemas.study import ARTIFACT, STRUCTURE
from tocompress.tables import read_table, write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    body, structure = snakemake.input[:2]
    facts = export_variant(body, snakemake.input.weights, snakemake.output.artifact, read_table(structure, STRUCTURE))
    write_table(snakemake.output.facts, ARTIFACT, facts.assign(runtime=snakemake.wildcards.runtime))
