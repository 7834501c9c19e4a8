"""Put the shards of a variant's predictions together."""

from tocompress.evaluation.shards import gather
from tocompress.job import job

with job(snakemake):
    gather(snakemake.output[0], snakemake.input)
