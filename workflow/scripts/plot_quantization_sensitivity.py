"""Draw the scan of a model's kernels, and write the table behind it."""

from tocompress.job import job
from tocompress.reporting.figures import save
from tocompress.reporting.figures.quantization_sensitivity import drawing
from tocompress.schemas.study import COMPRESSION, QUANTIZATION_SENSITIVITY
from tocompress.settings.jobs import QuantizationSensitivityFigureJob
from tocompress.tables import read_table

with job(snakemake):
    settings = QuantizationSensitivityFigureJob.model_validate_json(snakemake.params.settings)
    budgeted = [read_table(file, COMPRESSION) for file in snakemake.input.budgeted]
    drawn = drawing(read_table(snakemake.input.scan, QUANTIZATION_SENSITIVITY), settings, budgeted)
    save(drawn, dict(snakemake.output.items()), settings.plot)
