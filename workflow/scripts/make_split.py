"""Make one split of a dataset."""

from pydantic import TypeAdapter

from tocompress.data.make import write_split
from tocompress.job import job
from tocompress.settings.data import DataSettings

with job(snakemake):
    data = TypeAdapter(DataSettings).validate_json(snakemake.params.settings)
    write_split(snakemake.output[0], data, snakemake.wildcards.split)
