"""Read one split of a corpus of sentence pairs."""

from pathlib import Path

from tocompress.data.wmt import corpus
from tocompress.job import job
from tocompress.schemas.study import SENTENCES
from tocompress.settings.data import Wmt
from tocompress.tables import write_table

with job(snakemake):
    settings = Wmt.model_validate_json(snakemake.params.settings)
    names = (
        ("source", "reference") if snakemake.wildcards.split == "test" else ("training_source", "training_reference")
    )
    texts = [*snakemake.input.test, *snakemake.input.training]
    files = dict(zip(names, map(Path, texts), strict=True))
    write_table(snakemake.output[0], SENTENCES, corpus(settings, files, snakemake.wildcards.split))
