"""Convert the graph of a structure to a flatbuffer, and write where its weights lie."""

import json
import os

os.environ["KERAS_BACKEND"] = "tensorflow"  # the graph is TensorFlow's, whatever trained the network

from tocompress.errors import about
from tocompress.files import replace_on_success
from tocompress.job import job
from tocompress.models import keras_alone  # noqa: F401
from tocompress.runtimes.litert.body import trace
from tocompress.runtimes.tensorflow.graph import read_graph
from tocompress.schemas.study import PLACES
from tocompress.tables import write_table
from tocompress.weights import read_metadata

with job(snakemake):
    metadata, body = read_metadata(snakemake.input.weights), read_graph(snakemake.input.body)
    with about(snakemake.input.weights):
        flatbuffer, places = trace(metadata, body, json.loads(snakemake.params.settings)["beam_width"])
    with replace_on_success(snakemake.output.body) as temporary:
        temporary.write_bytes(flatbuffer)
    write_table(snakemake.output.places, PLACES, places)
