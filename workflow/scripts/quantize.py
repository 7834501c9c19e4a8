"""Quantize a variant's parent on calibration data."""

from dataclasses import replace

from tocompress.models import keras_alone  # noqa: F401

# isort: split
from tocompress.compression.quantization.calibrated import quantize_on_data
from tocompress.errors import about
from tocompress.job import job
from tocompress.schemas.study import COMPRESSION, QUANTIZATION_SENSITIVITY
from tocompress.settings.jobs import QuantizeJob
from tocompress.tables import read_table, write_table
from tocompress.tasks.examples import read_examples
from tocompress.threads import use_threads
from tocompress.weights import read_weights, write_weights

with job(snakemake):
    use_threads(snakemake.threads)
    weights, metadata = read_weights(snakemake.input.parent)
    inputs = QuantizeJob.model_validate_json(snakemake.params.settings).of(metadata)
    calibration = read_examples(snakemake.input.calibration, inputs.model, inputs.data)
    scans = [read_table(file, QUANTIZATION_SENSITIVITY) for file in snakemake.input.sensitivity]
    with about(snakemake.input.parent):
        quantized, table = quantize_on_data(weights, inputs, calibration, *scans)
    write_weights(snakemake.output.weights, quantized, replace(metadata, variant=snakemake.wildcards.variant))
    of = {"model": snakemake.wildcards.model, "variant": snakemake.wildcards.variant}
    write_table(snakemake.output.compression, COMPRESSION, table.assign(**of))
