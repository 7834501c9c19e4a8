"""Tell people in PACKAGE.md of the content of a package, and of the check of its results."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from tocompress.publishing.crate import Run

#: It stands at the root of a clone, so it must not have the name of a file of the repository.
README = "PACKAGE.md"

_TEXT = """\
# Results of the study `{study}`

*{title}*, version {version}, made these results from {started} to {ended} (UTC).
{commit}

## Check them

Unpack the package into a clone of the repository at this commit. No file of the clone is replaced. In the clone's
environment, the first command finds nothing to do, and the second compares every file with the record of its job:

```
unzip package.zip -d clone
cd clone
snakemake -n --configfile {config}
snakemake --cores 1 verify --configfile {config}
```

## What is here

| path | content |
|---|---|
| `{report}` | the report, which opens in any browser |
| `{table}` | every number of the study, one a row |
| `figures/` beside them | each figure, with the table behind it |
| `{config}` | the config, with all defaults |
| the folders beside it | the record of each job: settings, versions, machine, digests of its files |
| `workflow/` beside it | the front door and the rules of the workflow, to be read and not to be run |
| `.snakemake/metadata/` | notes by which Snakemake knows that nothing is to be done |
| `ro-crate-metadata.json` | the description of all this for programs, a Workflow Run RO-Crate |

{completeness}

The licence is {licence}.
"""
_COMPLETE = "All weights and artifacts are here."
_INCOMPLETE = (
    "{count} weights and artifacts ({megabytes:.0f} MB) are not here. Their digests are in the records, and the"
    " workflow makes them again where they are asked for."
)
_DIRTY = "-dirty"


def readme(run: Run, left_out: Collection[Path]) -> str:
    """Return the text of PACKAGE.md, given the results that the package leaves out."""
    return _TEXT.format(
        study=run.study,
        title=run.citation["title"],
        version=run.citation["version"],
        licence=run.citation["license"],
        started=f"{run.started:%Y-%m-%d %H:%M}",
        ended=f"{run.ended:%Y-%m-%d %H:%M}",
        commit=_commit(run.commit),
        report=run.results["report"][0],
        table=run.results["study"][0],
        config=run.config_file,
        completeness=_completeness(left_out),
    )


def _completeness(left_out: Collection[Path]) -> str:
    if not left_out:
        return _COMPLETE
    megabytes = sum(file.stat().st_size for file in left_out) / 1e6
    return _INCOMPLETE.format(count=len(left_out), megabytes=megabytes)


def _commit(commit: str | None) -> str:
    """Return a sentence on the commit of the repository. Files that were changed since may be why jobs are due."""
    if commit is None:
        return "No clone of the repository made this package, so its commit is unknown."
    if commit.endswith(_DIRTY):
        return (
            f"The commit is `{commit.removesuffix(_DIRTY)}`, and files were changed since. Without these changes"
            " Snakemake may find something to do."
        )
    return f"The commit is `{commit}`."
