"""Take a file out of an archive."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tocompress.archives import extract
from tocompress.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake):
    md5 = json.loads(snakemake.params.settings)["md5"]
    extract(Path(snakemake.input[0]), snakemake.wildcards.member, Path(snakemake.output[0]), md5=md5)
