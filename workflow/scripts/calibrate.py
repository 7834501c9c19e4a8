"""Record the extremes of a variant's activations on calibration images."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tocompress.job import job
from tocompress.runtimes.litert.export import write_artifact
from tocompress.runtimes.litert.ranges import extremes
from tocompress.schemas.study import EXTREMES, STRUCTURE
from tocompress.settings.jobs import CalibrationJob
from tocompress.tables import read_table, write_table
from tocompress.tasks.classification.inputs import calibration_images
from tocompress.weights import read_metadata

with job(snakemake):
    settings = CalibrationJob.model_validate_json(snakemake.params.settings)
    settings = settings.of(read_metadata(snakemake.input.weights))
    body, places, structure = snakemake.input[:3]
    images = calibration_images(snakemake.input.calibration, settings)
    with TemporaryDirectory() as folder:
        in_floats = Path(folder, "floats.tflite")
        write_artifact(body, places, snakemake.input.weights, in_floats, read_table(structure, STRUCTURE))
        table = extremes(in_floats, images)
    of = {"model": snakemake.wildcards.model, "variant": snakemake.wildcards.variant}
    write_table(snakemake.output[0], EXTREMES, table.assign(**of))
