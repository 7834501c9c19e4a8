"""Quantize the weights of a variant's parent."""

from dataclasses import replace
from typing import TYPE_CHECKING

from tocompress.compression.quantization.grid import quantize_weights
from tocompress.errors import about
from tocompress.job import job
from tocompress.schemas.study import COMPRESSION
from tocompress.settings.technique import Quantize
from tocompress.tables import write_table
from tocompress.weights import read_weights, write_weights

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    technique = Quantize.model_validate_json(snakemake.params.settings)
    weights, metadata = read_weights(snakemake.input.parent)
    with about(snakemake.input.parent):
        quantized, table = quantize_weights(weights, technique.bits, technique.granularity, technique.minimum_values)
    write_weights(snakemake.output.weights, quantized, replace(metadata, variant=snakemake.wildcards.variant))
    of = {"model": snakemake.wildcards.model, "variant": snakemake.wildcards.variant}
    write_table(snakemake.output.compression, COMPRESSION, table.assign(**of))
