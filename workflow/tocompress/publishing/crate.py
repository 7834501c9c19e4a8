"""Describe a package as a Workflow Run RO-Crate: one run of the whole workflow, its config and its results.

Provenance Run Crate would describe each job. It is not used. Each job has a record in the package. The record says
more than that profile can: settings, and digests of code and files.

The text is plain JSON. The library `rocrate` would add two dependencies, and it copies files to describe them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

METADATA = "ro-crate-metadata.json"

Entity = dict[str, Any]

_CONTEXT = ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]
_CRATE = "https://w3id.org/ro/crate/1.1"
_WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    _WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
}
_BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
_LANGUAGE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
_RUN = "#run"
_FORMATS = {
    "": "text/plain",
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".smk": "text/plain",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
}


@dataclass(frozen=True)
class Part:
    """A file of a package."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Run:
    """The run that made a study. Names of files are those in the package."""

    study: str
    citation: Mapping[str, Any]  # of the workflow, as CITATION.cff holds it
    commit: str | None
    snakemake: str
    config: Mapping[str, Any]
    started: datetime
    ended: datetime
    snakefile: str
    config_file: str
    results: Mapping[str, tuple[str, ...]]  # the targets of the study, by the names of their kinds


def crate(run: Run, parts: Iterable[Part]) -> dict[str, Any]:
    """Return the content of ro-crate-metadata.json for a run and the files of its package."""
    parameters, values = _config(run)
    files = {part.name: _file(part) for part in parts}
    authors = list(_authors(run.citation))
    files[run.snakefile] |= _workflow(run, parameters, authors)
    files[run.config_file] |= {"exampleOfWork": _to("#config")}
    for kind, names in run.results.items():
        for name in names:
            files[name] |= {"exampleOfWork": _to(_output(kind))}
    graph = [_descriptor(), _root(run, files.values(), authors), _action(run, values), *_about(run), *authors]
    return {"@context": _CONTEXT, "@graph": [*graph, *parameters, *values, *_outputs(run), *files.values()]}


def _to(*places: str) -> Any:
    """Return a reference to an entity, or a list of references to several."""
    references = [{"@id": place} for place in places]
    return references[0] if len(references) == 1 else references


def _place(name: str) -> str:
    return quote(name)


def _file(part: Part) -> Entity:
    suffix = PurePosixPath(part.name).suffix
    return {
        "@id": _place(part.name),
        "@type": "File",
        "name": PurePosixPath(part.name).name,
        "contentSize": str(part.size),
        "encodingFormat": _FORMATS.get(suffix, "application/octet-stream"),
        "sha256": part.sha256,
    }


def _descriptor() -> Entity:
    return {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": _to("./"),
        "conformsTo": _to(_CRATE, _WORKFLOW_CRATE),
    }


def _root(run: Run, files: Iterable[Entity], authors: Iterable[Entity]) -> Entity:
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Results of the study '{run.study}'",
        "description": f"{run.citation['title']}: {run.citation['abstract']}",
        # The day of the last job, so that the same results give the same bytes.
        "datePublished": run.ended.date().isoformat(),
        "license": _to(_licence(run)),
        "keywords": ", ".join(run.citation["keywords"]),
        "author": _to(*(author["@id"] for author in authors)),
        "conformsTo": _to(*_PROFILES),
        "mainEntity": _to(_place(run.snakefile)),
        "mentions": _to(_RUN),
        "hasPart": [_to(file["@id"]) for file in files],
    }


def _workflow(run: Run, parameters: Iterable[Entity], authors: Iterable[Entity]) -> Entity:
    """Return all that the main workflow has beside the properties of any file."""
    version = run.citation["version"]
    return {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": run.citation["title"],
        "description": run.citation["abstract"],
        "version": f"{version}, commit {run.commit}" if run.commit else str(version),
        "license": _to(_licence(run)),
        "creator": _to(*(author["@id"] for author in authors)),
        "conformsTo": _to(_BIOSCHEMAS),
        "programmingLanguage": _to(_LANGUAGE),
        "input": _to(*(parameter["@id"] for parameter in parameters)),
        "output": _to(*map(_output, run.results)),
    }


def _action(run: Run, values: Iterable[Entity]) -> Entity:
    results = [_place(name) for names in run.results.values() for name in names]
    return {
        "@id": _RUN,
        "@type": "CreateAction",
        "name": f"Run of the study '{run.study}'",
        "description": "From the start of the first job to the end of the last. Each job has a record.",
        "instrument": _to(_place(run.snakefile)),
        "object": _to(_place(run.config_file), *(value["@id"] for value in values)),
        "result": _to(*results),
        "startTime": run.started.isoformat(timespec="seconds"),
        "endTime": run.ended.isoformat(timespec="seconds"),
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }


def _config(run: Run) -> tuple[list[Entity], list[Entity]]:
    """Return a parameter of the workflow for the config's file and for each of its sections, and their values."""
    parameters = [_parameter("#config", "config", "File", _place(run.config_file))]
    values = []
    for section, value in run.config.items():
        parameter, given = f"#config/{section}", f"#value/{section}"
        parameters.append(_parameter(parameter, section, "Text", given))
        text = json.dumps(value, sort_keys=True)
        values.append(
            {"@id": given, "@type": "PropertyValue", "name": section, "value": text, "exampleOfWork": _to(parameter)}
        )
    return parameters, values


def _outputs(run: Run) -> list[Entity]:
    return [_parameter(_output(kind), kind, "File", *map(_place, names)) for kind, names in run.results.items()]


def _output(kind: str) -> str:
    return f"#output/{kind}"


def _parameter(place: str, name: str, kind: str, *examples: str) -> Entity:
    return {
        "@id": place,
        "@type": "FormalParameter",
        "name": name,
        "additionalType": kind,
        "workExample": _to(*examples),
    }


def _about(run: Run) -> Iterator[Entity]:
    """Yield the language, the licence and the profiles that other entities name."""
    yield {
        "@id": _LANGUAGE,
        "@type": "ComputerLanguage",
        "name": "Snakemake",
        "version": run.snakemake,
        "identifier": _to("https://doi.org/10.1093/bioinformatics/bts480"),
        "url": _to("https://snakemake.readthedocs.io"),
    }
    yield {"@id": _licence(run), "@type": "CreativeWork", "name": run.citation["license"]}
    for place, (name, version) in _PROFILES.items():
        yield {"@id": place, "@type": "CreativeWork", "name": name, "version": version}


def _licence(run: Run) -> str:
    return f"https://spdx.org/licenses/{run.citation['license']}"


def _authors(citation: Mapping[str, Any]) -> Iterator[Entity]:
    """Yield the authors of CITATION.cff: groups by their name, and people by their two names."""
    for number, author in enumerate(citation["authors"], 1):
        given = author.get("given-names"), author.get("family-names")
        kind = "Organization" if "name" in author else "Person"
        name = author.get("name") or " ".join(filter(None, given))
        yield {"@id": author.get("orcid", f"#author-{number}"), "@type": kind, "name": name}
