"""Write the inputs that a model is timed on."""

from tocompress.job import job
from tocompress.measurement.inputs import write_inputs
from tocompress.settings.jobs import InputsJob

with job(snakemake):
    write_inputs(snakemake.output[0], InputsJob.model_validate_json(snakemake.params.settings), snakemake.input.test)
