"""Write the package of a study."""

from tocompress.job import job
from tocompress.publishing.package import write_package
from tocompress.settings.jobs import PackageJob

with job(snakemake):
    write_package(
        snakemake.output[0],
        PackageJob.model_validate_json(snakemake.params.settings),
        downloads=snakemake.params.downloads,
        results={kind: (files,) if isinstance(files, str) else tuple(files) for kind, files in snakemake.input.items()},
    )
