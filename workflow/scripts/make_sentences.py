"""Make one split of a set of sentences."""

from typing import TYPE_CHECKING

from tocompress.data.make_sentences import write_sentences
from tocompress.job import job
from tocompress.settings.data import NumberPhrases

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    settings = NumberPhrases.model_validate_json(snakemake.params.settings)
    write_sentences(snakemake.output[0], settings, snakemake.wildcards.split)
