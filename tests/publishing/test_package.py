"""A package holds what its readers need, describes it in the profile's words, and refuses what is not as recorded."""

from __future__ import annotations

import hashlib
import json
import zipfile
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from tocompress.errors import StudyError
from tocompress.provenance.record import REPOSITORY, Record, look
from tocompress.provenance.verify import verify
from tocompress.publishing.package import write_package
from tocompress.settings.jobs import PackageJob
from tocompress.settings.study import load

STUDY = "results/made"
PACKAGE = f"{STUDY}/package.zip"
RESULTS = {
    "report": (f"{STUDY}/report.html",),
    "study": (f"{STUDY}/study.parquet",),
    "figures": (f"{STUDY}/figures/pareto.png", f"{STUDY}/figures/pareto.csv"),
}
ARTIFACT = f"{STUDY}/artifacts/litert/vgg_16/q8.tflite"
FACTS = f"{STUDY}/artifacts/litert/vgg_16/q8.parquet"
#: Nothing was made of it.
LEAF = f"{STUDY}/artifacts/litert/vgg_16/q6.tflite"
#: Snakemake breaks the name of its note in two.
LONG = f"{STUDY}/metrics/litert/{200 * 'a'}/q8.parquet"
WEIGHTS = f"{STUDY}/weights/vgg_16/q8.safetensors"
CONFIG = load(yaml.safe_load((REPOSITORY / "config.yaml").read_text())).model_dump(mode="json")


def make(rule: str, *outputs: str, inputs: tuple[str, ...] = ()) -> None:
    """Make files, the record of their job, and Snakemake's note of each."""
    for output in outputs:
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        Path(output).write_text(f"made by {rule}")
        note(output)
    record = Record(
        rule=rule,
        script=f"{rule}.py",
        wildcards={},
        settings=None,
        code=None,
        versions={},
        lock=None,
        commit=None,
        host={},
        started=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        ended=datetime(2026, 1, 2, 3, 5, tzinfo=UTC),
        inputs={path: look(path) for path in inputs},
        outputs={path: look(path) for path in outputs},
    )
    place = Path(STUDY, "provenance", f"{rule}.json")
    place.parent.mkdir(exist_ok=True)
    place.write_text(record.model_dump_json())
    note(str(place))


def note(result: str) -> None:
    """Write Snakemake's note of a result, whose name it breaks where it is too long for a file."""
    name = urlsafe_b64encode(result.encode()).decode()
    *folders, last = (name[at : at + 254] for at in range(0, len(name), 254))
    path = Path(".snakemake/metadata", *(f"@{folder}" for folder in folders), last)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"rule": "any", "conda_env": "a copy of a long file"}))


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a study of a few files, in the working folder."""
    monkeypatch.chdir(tmp_path)
    make("compress", WEIGHTS)
    make("export", ARTIFACT, FACTS, inputs=(WEIGHTS,))
    make("predict", LONG, inputs=(ARTIFACT,))
    make("export_on_request", LEAF)
    make("aggregate", *RESULTS["study"], inputs=(FACTS, LONG))
    make("figure", *RESULTS["figures"], inputs=RESULTS["study"])
    make("report", *RESULTS["report"], inputs=RESULTS["study"])
    Path(STUDY, "logs").mkdir()
    Path(STUDY, "logs/report.log").write_text("what a job printed")
    return tmp_path / STUDY


def packed(*artifacts: str) -> zipfile.ZipFile:
    """Return the package of the study with these patterns of artifacts."""
    job = PackageJob(study="made", folder=STUDY, artifacts=artifacts, config=CONFIG)
    write_package(PACKAGE, job, "results/downloads", RESULTS)
    return zipfile.ZipFile(PACKAGE)


@pytest.mark.usefixtures("study")
def test_a_package_holds_results_records_and_notes_and_replaces_no_file_of_a_clone() -> None:
    names = set(packed("*").namelist())
    kept = {name for name in names if not name.startswith((f"{STUDY}/provenance/", ".snakemake/"))}
    results = {result for files in RESULTS.values() for result in files}
    assert kept == {ARTIFACT, FACTS, WEIGHTS, LONG, LEAF, *results, "PACKAGE.md", "ro-crate-metadata.json"}
    assert sum(name.startswith(".snakemake/metadata/") for name in names) == 16
    assert f"{STUDY}/provenance/export.json" in names
    assert not [name for name in names if (REPOSITORY / name).exists() and not name.startswith("results/")]


@pytest.mark.usefixtures("study")
@pytest.mark.parametrize(
    ("patterns", "kept"),
    [((), set()), (("*",), {ARTIFACT, WEIGHTS}), (("artifacts/*/q8.*",), {ARTIFACT}), (("weights/*",), {WEIGHTS})],
)
def test_artifacts_and_weights_are_held_by_choice_but_tables_always(patterns: tuple[str, ...], kept: set[str]) -> None:
    with packed(*patterns) as archive:
        assert {ARTIFACT, WEIGHTS} & {*archive.namelist()} == kept
        assert {FACTS, LEAF} <= {*archive.namelist()}
        left_out = f"{2 - len(kept)} weights and artifacts"
        assert (left_out in archive.read("PACKAGE.md").decode()) == (len(kept) < 2)


@pytest.mark.usefixtures("study")
@pytest.mark.parametrize("patterns", [(), ("*",)])
def test_an_unpacked_package_is_as_recorded(
    patterns: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed(*patterns).extractall(tmp_path / "clone")
    monkeypatch.chdir(tmp_path / "clone")
    targets = [file for files in RESULTS.values() for file in files]
    assert verify(STUDY, "results/downloads", targets).problems == []


@pytest.mark.usefixtures("study")
def test_the_same_results_give_the_same_bytes() -> None:
    packed("*").close()
    first = Path(PACKAGE).read_bytes()
    make("package", PACKAGE)
    Path(PACKAGE).write_bytes(b"an earlier package")
    for file in Path(STUDY).rglob("*.*"):
        file.chmod(0o600)
        file.touch()
    packed("*").close()
    assert Path(PACKAGE).read_bytes() == first


@pytest.mark.usefixtures("study")
def test_the_config_of_a_package_is_that_of_the_study() -> None:
    with packed() as archive:
        assert load(yaml.safe_load(archive.read(f"{STUDY}/provenance/config.yaml"))) == load(CONFIG)


@pytest.mark.usefixtures("study")
def test_notes_come_without_the_environment() -> None:
    with packed() as archive:
        notes = [archive.read(name) for name in archive.namelist() if name.startswith(".snakemake/")]
    assert set(notes) == {b'{"rule": "any"}'}


def edit(result: str) -> None:
    Path(result).write_text("edited")


def forget(result: str) -> None:
    name = urlsafe_b64encode(result.encode()).decode()
    Path(".snakemake/metadata", name).unlink()


@pytest.mark.usefixtures("study")
@pytest.mark.parametrize(
    ("damage", "patterns", "line"),
    [
        (lambda: edit(FACTS), ("*",), f"{FACTS}: is not what 'export' made"),
        (lambda: Path(RESULTS["report"][0]).unlink(), ("*",), f"{RESULTS['report'][0]}: is gone"),
        (lambda: forget(FACTS), ("*",), f"{FACTS}: .* holds no note of it"),
        (lambda: None, ("artifacts/litret/*",), r"publish\.artifacts: 'artifacts/litret/\*' fits no file"),
    ],
    ids=["edited", "gone", "without a note", "no such artifact"],
)
def test_a_package_that_would_not_hold_its_promise_is_not_written(
    damage: Any, patterns: tuple[str, ...], line: str
) -> None:
    damage()
    with pytest.raises(StudyError, match=line):
        packed(*patterns)
    assert not Path(PACKAGE).exists()


@pytest.fixture
def graph(study: Path) -> dict[str, Any]:
    """Return the entities of a package's description by their ids."""
    with packed("*") as archive:
        entities = json.loads(archive.read("ro-crate-metadata.json"))["@graph"]
        names = {*archive.namelist()} - {"ro-crate-metadata.json"}
        for entity in entities:
            if entity["@type"] == "File" or "File" in entity["@type"]:
                content = archive.read(unquote(entity["@id"]))
                assert entity["sha256"] == hashlib.sha256(content).hexdigest()
                assert entity["contentSize"] == str(len(content))
                names.remove(unquote(entity["@id"]))
    assert not names, "files without a description"
    found = {entity["@id"]: entity for entity in entities}
    assert len(found) == len(entities)
    return found


def ids(value: Any) -> list[str]:
    """Return the ids that a value of an entity refers to."""
    return [reference["@id"] for reference in (value if isinstance(value, list) else [value])]


def test_every_reference_is_to_an_entity_or_to_a_page_of_the_web(graph: dict[str, Any]) -> None:
    for entity in graph.values():
        for value in entity.values():
            for place in ids(value) if isinstance(value, list | dict) and "@id" in str(value) else []:
                assert place in graph or place.startswith("https://")


def test_the_description_keeps_what_its_profiles_demand(graph: dict[str, Any]) -> None:
    root, descriptor = graph["./"], graph["ro-crate-metadata.json"]
    assert descriptor["about"] == {"@id": "./"}
    assert "https://w3id.org/ro/crate/1.1" in ids(descriptor["conformsTo"])
    assert {"name", "description", "license", "datePublished"} <= set(root)
    assert {f"https://w3id.org/ro/wfrun/{kind}/0.5" for kind in ("process", "workflow")} <= {*ids(root["conformsTo"])}
    workflow, (run,) = graph[root["mainEntity"]["@id"]], ids(root["mentions"])
    assert set(workflow["@type"]) == {"File", "SoftwareSourceCode", "ComputationalWorkflow"}
    assert graph[workflow["programmingLanguage"]["@id"]]["name"] == "Snakemake"
    assert graph[run]["instrument"] == {"@id": workflow["@id"]}
    assert graph[run]["startTime"] == "2026-01-02T03:04:00+00:00"
    assert set(ids(graph[run]["result"])) == {file for files in RESULTS.values() for file in files}


def test_each_section_of_the_config_is_a_parameter_with_its_value(graph: dict[str, Any]) -> None:
    workflow = graph[graph["./"]["mainEntity"]["@id"]]
    for place in ids(workflow["input"]) + ids(workflow["output"]):
        parameter = graph[place]
        assert parameter["@type"] == "FormalParameter" and parameter["additionalType"] in ("File", "Text")
        for example in ids(parameter["workExample"]):
            assert graph[example]["exampleOfWork"] == {"@id": place}
    values = {entity["name"]: json.loads(entity["value"]) for entity in graph.values() if "value" in entity}
    assert values == CONFIG
