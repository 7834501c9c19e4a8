"""Tell whether a study's results are what their records say."""

import json
from typing import TYPE_CHECKING

from tocompress.errors import StudyError
from tocompress.job import job, terminal
from tocompress.provenance.verify import verify

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

tell = terminal()
with job(snakemake):
    findings = verify(*snakemake.params.folders, json.loads(snakemake.params.now))
    lines = [*findings.remarks, *findings.problems]
    if findings.problems:
        print(*lines, sep="\n")
        raise StudyError(
            f"{len(findings.problems)} of these lines name what no longer matches; `snakemake -n` tells what is due"
        )
    for line in lines:
        tell(line)
    tell(f"{findings.results} results of {findings.jobs} jobs: all as recorded, and as they would be made now")
