"""Score the filters and units of a variant by their effect on the loss."""

from tocompress.models import keras_alone  # noqa: F401

# isort: split
from tocompress.compression.pruning.channels import left_whole
from tocompress.compression.pruning.ranking import channels_of, float_weights, ranked, scores_on_data
from tocompress.errors import about
from tocompress.job import job
from tocompress.schemas.study import IMPORTANCE
from tocompress.settings.jobs import RankJob
from tocompress.tables import write_table
from tocompress.tasks.examples import read_examples
from tocompress.threads import use_threads
from tocompress.weights import read_weights

with job(snakemake):
    use_threads(snakemake.threads)
    stored, metadata = read_weights(snakemake.input.weights)
    inputs = RankJob.model_validate_json(snakemake.params.settings).of(metadata)
    calibration = read_examples(snakemake.input.calibration, inputs.model, inputs.data)
    weights = float_weights(stored)
    with about(snakemake.input.weights):
        channels = channels_of(inputs.model, weights)
        for warning in left_whole(channels):
            print(warning)
        scores = scores_on_data(inputs.model, weights, channels, calibration)
    of = {"model": snakemake.wildcards.model, "variant": snakemake.wildcards.variant}
    write_table(snakemake.output[0], IMPORTANCE, ranked(scores, channels).assign(**of))
