"""Compare a study with the results of another one."""

from tocompress.comparing.page import write_page
from tocompress.comparing.sides import read_side
from tocompress.comparing.table import compare
from tocompress.job import job
from tocompress.schemas.study import COMPARED
from tocompress.settings.jobs import CompareJob
from tocompress.tables import write_table

with job(snakemake):
    settings = CompareJob.model_validate_json(snakemake.params.settings)
    here = read_side(settings.here, snakemake.input.study, snakemake.input.here)
    there = read_side(settings.there, snakemake.input.other, snakemake.input.there)
    table = compare(here, there, settings)
    write_table(snakemake.output.table, COMPARED, table)
    write_page(snakemake.output.page, table, here, there, settings)
