"""Describe a model, and the study's plan for it."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"  # both runtimes' graphs are made from TensorFlow's

from tocompress.compression.check import check
from tocompress.files import replace_on_success
from tocompress.job import job
from tocompress.models import keras_alone  # noqa: F401
from tocompress.settings.jobs import CheckModelJob

terminal = os.dup(2)
with job(snakemake):
    text = check(snakemake.input.weights, CheckModelJob.model_validate_json(snakemake.params.settings))
    os.write(terminal, text.encode())
    with replace_on_success(snakemake.output[0]) as temporary:
        temporary.write_text(text, encoding="utf-8")
