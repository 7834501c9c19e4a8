"""Write the inputs that a model is timed on."""

from tocompress.job import job
from tocompress.measurement.inputs import write_inputs
from tocompress.settings.jobs import InputsJob
from tocompress.weights import read_metadata

with job(snakemake):
    settings = InputsJob.model_validate_json(snakemake.params.settings)
    settings = settings.of(*map(read_metadata, snakemake.input.facts))
    write_inputs(snakemake.output[0], settings, snakemake.input.test)
