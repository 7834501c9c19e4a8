"""Draw the candidates of a search, and write the table behind it."""

import json
from pathlib import Path

from tocompress.job import job
from tocompress.reporting.figures import save
from tocompress.reporting.figures.search import drawing
from tocompress.schemas.study import CANDIDATES
from tocompress.settings.jobs import SearchFigureJob
from tocompress.tables import read_table

with job(snakemake):
    settings = SearchFigureJob.model_validate_json(snakemake.params.settings)
    answer = json.loads(Path(snakemake.input.answer).read_text(encoding="utf-8"))
    drawn = drawing(read_table(snakemake.input.candidates, CANDIDATES), answer, settings)
    save(drawn, dict(snakemake.output.items()), settings.plot)
