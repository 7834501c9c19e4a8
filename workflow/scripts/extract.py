"""Take a file out of an archive."""

import json
from pathlib import Path

from tocompress.archives import extract
from tocompress.files import check_digest
from tocompress.job import job

with job(snakemake):
    known = json.loads(snakemake.params.settings)
    (archive,) = map(Path, snakemake.input.archive)
    check_digest(archive, known["archive"])
    extract(archive, snakemake.wildcards.member, Path(snakemake.output[0]), md5=known["member"])
