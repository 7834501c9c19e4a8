"""Verify that a study's results agree with their records."""

from tocompress.errors import StudyError
from tocompress.job import job, terminal
from tocompress.provenance.verify import verify

tell = terminal()
with job(snakemake):
    findings = verify(*snakemake.params.folders, snakemake.params.targets)
    if findings.problems:
        print(*findings.remarks, *findings.problems, sep="\n")
        raise StudyError(
            f"{findings.doubtful} of {findings.results} results no longer match their records; delete those that were"
            " edited or damaged, then `snakemake -n` tells what is due"
        )
    for line in [*findings.remarks, f"{findings.results} results of {findings.jobs} jobs: all as recorded"]:
        tell(line)
