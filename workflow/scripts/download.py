"""Fetch a file."""

from pathlib import Path

from tocompress.download import download
from tocompress.job import job, terminal
from tocompress.plan import plan

tell = terminal()
with job(snakemake):
    # Another mirror is no reason to fetch the same file again, so the source is from the config, not from parameters.
    source = plan(snakemake.config).downloads[snakemake.wildcards.address]
    download(source, Path(snakemake.output.file), report=tell)
