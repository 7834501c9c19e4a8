"""Find the photographs of a split."""

from tocompress.data.imagenet import photographs
from tocompress.job import job
from tocompress.schemas.study import PHOTOGRAPHS
from tocompress.settings.data import ImageNet
from tocompress.tables import write_table

with job(snakemake):
    settings = ImageNet.model_validate_json(snakemake.params.settings)
    write_table(snakemake.output[0], PHOTOGRAPHS, photographs(settings, snakemake.wildcards.split))
