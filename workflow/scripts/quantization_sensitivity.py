"""Measure what a model loses when one kernel alone is quantized."""

from tocompress.models import keras_alone  # noqa: F401

# isort: split
from tocompress.compression.pruning.ranking import float_weights
from tocompress.compression.quantization.sensitivity import scan
from tocompress.errors import about
from tocompress.job import job
from tocompress.schemas.study import QUANTIZATION_SENSITIVITY
from tocompress.settings.jobs import QuantizationSensitivityJob
from tocompress.tables import write_table
from tocompress.tasks.examples import read_examples
from tocompress.threads import use_threads
from tocompress.weights import read_weights

with job(snakemake):
    use_threads(snakemake.threads)
    stored, metadata = read_weights(snakemake.input.weights)
    inputs = QuantizationSensitivityJob.model_validate_json(snakemake.params.settings).of(metadata)
    calibration = read_examples(snakemake.input.calibration, inputs.model, inputs.data)
    with about(snakemake.input.weights):
        scanned = scan(float_weights(stored), inputs, calibration)
    of = {"model": snakemake.wildcards.model, "variant": metadata.variant}
    write_table(snakemake.output[0], QUANTIZATION_SENSITIVITY, scanned.assign(**of))
