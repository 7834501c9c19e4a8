"""Draw a figure, and write the table behind it."""

from tocompress.job import job
from tocompress.reporting.figures import draw, save
from tocompress.schemas.study import STUDY
from tocompress.settings.reporting import Plot
from tocompress.tables import read_table

with job(snakemake):
    plot = Plot.model_validate_json(snakemake.params.settings)
    drawing = draw(snakemake.wildcards.figure, read_table(snakemake.input[0], STUDY), plot)
    save(drawing, dict(snakemake.output.items()), plot)
