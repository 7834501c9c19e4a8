"""The documentation says what the code says, and editors are told the truth about the config."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import reference
import yaml

from tocompress.models.registry import NETWORKS
from tocompress.schemas.study import STUDY
from tocompress.vocabulary.metrics import METRICS

REPOSITORY = Path(__file__).parents[2]
SCHEMA = json.loads((REPOSITORY / "config/schema.json").read_text())
CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
CONFIGS = {
    str(file.relative_to(REPOSITORY)): config
    for file in (REPOSITORY / "config.yaml", *sorted(REPOSITORY.glob("config/**/*.yaml")))
    if "study" in (config := yaml.safe_load(file.read_text()))
}


def problems(config: Any) -> list[str]:
    return [error.json_path for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(config)]


def test_the_schema_for_editors_is_that_of_the_settings() -> None:
    assert reference.config_schema() == SCHEMA, "run: make schema"


def test_editors_find_the_schema() -> None:
    first_line, _, _ = (REPOSITORY / "config.yaml").read_text().partition("\n")
    assert first_line == "# yaml-language-server: $schema=config/schema.json"


@pytest.mark.parametrize("name", CONFIGS)
def test_editors_find_no_fault_with_a_config_of_the_repository(name: str) -> None:
    assert problems(CONFIGS[name]) == []


@pytest.mark.parametrize(
    ("section", "wrong"),
    [
        ("plto", {}),
        ("plot", {"dqi": 100}),
        ("plot", {"dpi": 10}),
        ("models", {"Vgg": {"seed": 1}}),
        ("models", {"vgg_16": {"network": "vgg_17"}}),
        ("techniques", {"q8": {"bits": 1}}),
        ("techniques", {"q8": {"bits": 8, "share": 0.5}}),
        ("devices", {"tx2": {"transport": "telnet"}}),
    ],
)
def test_editors_see_a_mistake(section: str, wrong: dict[str, Any]) -> None:
    config = copy.deepcopy(CONFIG)
    config[section] = config.get(section, {}) | wrong
    assert problems(config)


@pytest.fixture(scope="module")
def rules() -> str:
    return reference.rules_page()


def test_every_rule_is_there_with_its_files(rules: str) -> None:
    sources = "".join(file.read_text() for file in REPOSITORY.glob("rules/*.smk"))
    assert sorted(re.findall(r"^### (\w+)$", rules, re.M)) == sorted(
        re.findall(r"^(?:rule|use rule \w+ as) (\w+)", sources, re.M)
    )
    prune = rules.partition("### prune\n")[2].partition("###")[0]
    assert "| in | parent | The weights that the last technique of a variant is applied to. |" in prune
    assert "| out | weights | `results/{study}/weights/{model}/{variant}.safetensors` |" in prune
    assert "| script |  | `workflow/scripts/prune.py` |" in prune


def test_many_files_are_one_pattern(rules: str) -> None:
    aggregate = rules.partition("### aggregate\n")[2].partition("###")[0]
    assert "| in | latency | `results/{study}/benchmarks/{device}/{model}/latency.parquet` |" in aggregate
    gather = rules.partition("### gather\n")[2].partition("###")[0]
    assert "`results/{study}/predictions/{runtime}/{model}/{variant}.{scatteritem}.parquet`" in gather
    assert "| `results/default" not in rules
    assert "<" not in rules


def test_every_key_of_the_config_is_there() -> None:
    keys = set(re.findall(r"^\| `([\w.* ]+)` \|", reference.config_page(), re.MULTILINE))
    defined = {key for node in SCHEMA["$defs"].values() for key in node["properties"]}
    assert {key.rpartition(".")[2] for key in keys} == defined
    assert {"input_size", "checkpoint.sha256", "power.idle_seconds"} <= keys


def test_a_key_is_told_with_its_bounds_and_its_default() -> None:
    page = reference.config_page()
    assert "| `dpi` | whole number, ≥ 50, ≤ 1200 | `200` | dots per inch of the PNG files |" in page
    assert all(f"`{network}`" in page for network in NETWORKS)


def test_every_column_and_metric_is_there_with_its_unit() -> None:
    study = reference.tables_page().partition("### study\n")[2].partition("##")[0]
    assert re.findall(r"^\| `(\w+)` \|", study, re.MULTILINE) == STUDY.names
    assert "| `ratio` | number | to fp32, paired |" in study
    metrics = reference.metrics_page()
    assert all(re.search(rf"\| `{name}` \| .* \| {metric.unit} \|", metrics) for name, metric in METRICS.items())


def test_variants_are_judged_as_the_config_is() -> None:
    page = reference.variants_page()
    assert "| `q8-p05` | valid |" in page
    assert "| `q8-q6` | 'q8-q6' of 'vgg_16' applies the same method twice" in page


def test_the_pages_are_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "-b", "dummy", "-c", "docs"]
    built = subprocess.run([*command, ".", str(tmp_path)], cwd=REPOSITORY, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
