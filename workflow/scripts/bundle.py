"""Write the bundle of an artifact."""

from pathlib import Path

from tocompress.bundles.bundle import write_bundle
from tocompress.job import job
from tocompress.schemas.study import STUDY
from tocompress.settings.jobs import BundleJob
from tocompress.tables import read_table
from tocompress.weights import read_metadata

with job(snakemake):
    settings = BundleJob.model_validate_json(snakemake.params.settings)
    write_bundle(
        snakemake.output[0],
        settings.of(read_metadata(snakemake.input.weights)),
        artifact=snakemake.input.artifact,
        weights=snakemake.input.weights,
        study=read_table(snakemake.input.study, STUDY),
        pictures=next(map(Path, snakemake.input.classes), None),
    )
