"""Trace the graph of a structure."""

import json
import os

os.environ["KERAS_BACKEND"] = "tensorflow"  # the graph is TensorFlow's, whatever trained the network

from tocompress.errors import about
from tocompress.job import job
from tocompress.models import keras_alone  # noqa: F401
from tocompress.runtimes.tensorflow.body import multiply_accumulates, trace
from tocompress.runtimes.tensorflow.graph import write_graph
from tocompress.schemas.study import STRUCTURE
from tocompress.tables import write_table
from tocompress.weights import read_metadata, read_shapes

with job(snakemake):
    metadata, shapes = read_metadata(snakemake.input.weights), read_shapes(snakemake.input.weights)
    with about(snakemake.input.weights):
        body = trace(metadata, shapes, json.loads(snakemake.params.settings)["beam_width"])
        structure = multiply_accumulates(metadata, shapes)
    write_graph(snakemake.output.body, body)
    write_table(snakemake.output.structure, STRUCTURE, structure)
