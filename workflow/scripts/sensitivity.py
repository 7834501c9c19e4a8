"""Scan the accuracy that a model keeps when one layer alone loses filters or units."""

from tocompress.models import keras_alone  # noqa: F401

# isort: split
from tocompress.compression.pruning.sensitivity import scan
from tocompress.job import job
from tocompress.schemas.study import SENSITIVITY
from tocompress.settings.jobs import SensitivityJob
from tocompress.tables import write_table
from tocompress.tasks.examples import read_examples
from tocompress.threads import use_threads
from tocompress.weights import read_weights

with job(snakemake):
    use_threads(snakemake.threads)
    weights, metadata = read_weights(snakemake.input.weights)
    inputs = SensitivityJob.model_validate_json(snakemake.params.settings).of(metadata)
    calibration = read_examples(snakemake.input.calibration, inputs.model, inputs.data)
    scanned = scan(weights, inputs, calibration)
    write_table(
        snakemake.output[0], SENSITIVITY, scanned.assign(model=snakemake.wildcards.model, variant=metadata.variant)
    )
