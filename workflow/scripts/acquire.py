"""Write a model's uncompressed weights."""

from pathlib import Path

from pydantic import TypeAdapter

from tocompress.checkpoints.acquire import acquire
from tocompress.job import job
from tocompress.settings.model import NetworkModel

with job(snakemake):
    model = TypeAdapter(NetworkModel).validate_json(snakemake.params.settings)
    acquire(
        snakemake.wildcards.model,
        model,
        Path(snakemake.output[0]),
        checkpoint=[*snakemake.input.checked, *snakemake.input.unchecked],
        vocabularies=snakemake.input.vocabularies,
    )
