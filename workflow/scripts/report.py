"""Write the study's report."""

from tocompress.job import job
from tocompress.provenance.record import commit
from tocompress.reporting.report.page import write_report
from tocompress.settings.jobs import ReportJob

with job(snakemake):
    write_report(
        snakemake.output[0],
        ReportJob.model_validate_json(snakemake.params.settings),
        study=snakemake.input.study,
        claims=snakemake.input.claims,
        figures=snakemake.input.figures,
        tables=snakemake.input.tables,
        sessions=snakemake.input.sessions,
        times=snakemake.input.times,
        answers=snakemake.input.answers,
        candidates=snakemake.input.candidates,
        commit=commit(),
    )
