"""Write the artifact of a variant and the table of its facts."""

import json

from tocompress.job import job
from tocompress.runtimes import load
from tocompress.schemas.study import ARTIFACT, STRUCTURE
from tocompress.tables import read_table, write_table

with job(snakemake):
    runtime = json.loads(snakemake.params.settings)["runtime"]
    body, structure = snakemake.input[:2]
    write_artifact = load(runtime, "export").write_artifact
    facts = write_artifact(body, snakemake.input.weights, snakemake.output.artifact, read_table(structure, STRUCTURE))
    write_table(snakemake.output.facts, ARTIFACT, facts.assign(runtime=runtime))
