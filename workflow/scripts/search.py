"""Search the configuration of a model that meets requirements."""

import json
from pathlib import Path

from tocompress.files import replace_on_success
from tocompress.job import job
from tocompress.schemas.study import CANDIDATES, QUANTIZATION_SENSITIVITY
from tocompress.search.answer import answer, candidates, write_chosen
from tocompress.search.find import find
from tocompress.settings.study import Study
from tocompress.tables import read_table, write_table

with job(snakemake):
    study = Study.model_validate_json(snakemake.params.settings)
    snakefile = Path(snakemake.scriptdir).parents[1] / "Snakefile"
    scan = read_table(snakemake.input.scan, QUANTIZATION_SENSITIVITY)
    found = find(study, snakemake.wildcards.model, scan, snakemake.threads, snakefile)
    write_table(snakemake.output.candidates, CANDIDATES, candidates(found))
    with replace_on_success(snakemake.output.answer) as temporary:
        temporary.write_text(json.dumps(answer(found), indent=1) + "\n", encoding="utf-8")
    write_chosen(snakemake.output.chosen, found, snakemake.threads, snakefile)
