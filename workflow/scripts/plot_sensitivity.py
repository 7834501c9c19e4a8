"""Draw the scan of a model's layers, and write the table behind it."""

from tocompress.job import job
from tocompress.reporting.figures import save
from tocompress.reporting.figures.sensitivity import drawing
from tocompress.schemas.study import SENSITIVITY
from tocompress.settings.jobs import SensitivityFigureJob
from tocompress.tables import read_table

with job(snakemake):
    settings = SensitivityFigureJob.model_validate_json(snakemake.params.settings)
    drawn = drawing(read_table(snakemake.input[0], SENSITIVITY), settings)
    save(drawn, dict(snakemake.output.items()), settings.plot)
