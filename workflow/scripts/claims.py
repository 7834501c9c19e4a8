"""Put the paper's numbers beside the study's."""

from tocompress.job import job
from tocompress.reporting.claims import claims_table
from tocompress.schemas.study import CLAIMS, STUDY
from tocompress.settings.claims import load
from tocompress.settings.jobs import ClaimsJob
from tocompress.tables import read_table, write_table

with job(snakemake):
    settings = ClaimsJob.model_validate_json(snakemake.params.settings)
    claims = load(snakemake.input.claims, settings.techniques)
    write_table(snakemake.output[0], CLAIMS, claims_table(read_table(snakemake.input.study, STUDY), claims, settings))
