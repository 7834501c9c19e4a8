"""Apply the last technique of a variant to the weights of its parent."""

from dataclasses import replace

from pydantic import TypeAdapter

from tocompress.compression.method import compress
from tocompress.errors import about
from tocompress.job import job
from tocompress.schemas.study import COMPRESSION
from tocompress.settings.technique import Technique
from tocompress.tables import write_table
from tocompress.weights import read_weights, write_weights

with job(snakemake):
    technique = TypeAdapter(Technique).validate_json(snakemake.params.settings)
    weights, metadata = read_weights(snakemake.input.parent)
    with about(snakemake.input.parent):
        compressed, table = compress(weights, technique)
    write_weights(snakemake.output.weights, compressed, replace(metadata, variant=snakemake.wildcards.variant))
    of = {"model": snakemake.wildcards.model, "variant": snakemake.wildcards.variant}
    write_table(snakemake.output.compression, COMPRESSION, table.assign(**of))
