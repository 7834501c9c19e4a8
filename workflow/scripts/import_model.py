"""Write the weights and the graph of a model that a user brings."""

import json
import os

os.environ["KERAS_BACKEND"] = "tensorflow"  # which reads every format

from tocompress.checkpoints.alone import alone
from tocompress.checkpoints.own import import_model
from tocompress.job import job

with job(snakemake):
    file = json.loads(snakemake.params.settings)["file"]
    alone(import_model, snakemake.wildcards.model, file, snakemake.output[0], file=file)
