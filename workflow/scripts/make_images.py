"""Make one split of a set of images."""

from typing import TYPE_CHECKING

from tocompress.data.make_images import write_images
from tocompress.job import job
from tocompress.settings.data import Glyphs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    settings = Glyphs.model_validate_json(snakemake.params.settings)
    write_images(snakemake.output[0], settings, snakemake.wildcards.split)
