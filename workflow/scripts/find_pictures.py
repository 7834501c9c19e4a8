"""Find the pictures of a split in a user's folders."""

from tocompress.data.folders import pictures
from tocompress.job import job
from tocompress.schemas.study import PICTURES
from tocompress.settings.data import Folders
from tocompress.tables import write_table

with job(snakemake):
    settings = Folders.model_validate_json(snakemake.params.settings)
    write_table(snakemake.output[0], PICTURES, pictures(settings, snakemake.wildcards.split, snakemake.threads))
