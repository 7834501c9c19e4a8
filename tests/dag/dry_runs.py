"""The repository's workflow in a folder of its own, dry-run in this process; nothing is computed."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from snakemake.api import ConfigSettings, DAGSettings, OutputSettings, ResourceSettings, SnakemakeApi
from snakemake.cli import parse_size_in_bytes
from snakemake.logging import logger
from snakemake.parser import parse as parse_rules
from snakemake.settings.enums import Quietness, RerunTrigger
from snakemake.sourcecache import SourceFile
from snakemake_interface_logger_plugins.common import LogEvent

from tocompress.provenance import digests
from tocompress.provenance.source import parse

REPOSITORY = Path(__file__).parents[2]
PROFILE = yaml.safe_load((REPOSITORY / "profiles/default/profile.yaml").read_text())
TRIGGERS = frozenset(RerunTrigger.parse_choice(name) for name in PROFILE["rerun-triggers"])
LARGEST_COMPARED = parse_size_in_bytes(PROFILE["max-checksum-file-size"])
PHOTOGRAPHS = ("ILSVRC2012_img_val.tar", "ILSVRC2012_devkit_t12.tar.gz", "ILSVRC2012_img_train.tar")


_parsed: dict[str, tuple[str, int, dict[int, int]]] = {}


def _parsed_once(file: SourceFile, workflow: Any, linemap: dict[int, int], rulecount: int) -> tuple[str, int]:
    """Parse a file of rules once, which takes a tenth of a dry run. Nobody edits it meanwhile."""
    path = file.get_path_or_uri(secret_free=True)
    if path not in _parsed:
        lines: dict[int, int] = {}
        _parsed[path] = *parse_rules(file, workflow, lines), lines
    code, rules, lines = _parsed[path]
    linemap.update(lines)
    return code, rulecount + rules


class Announced(logging.Handler):
    """The jobs that Snakemake announces."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "event", None) == LogEvent.JOB_INFO:
            self.records.append(record)

    @property
    def rules(self) -> Counter[str]:
        return Counter(record.rule_name for record in self.records)

    def of(self, rule: str) -> set[str]:
        """Return the wildcards of a rule's jobs but for the runtime, joined by slashes."""
        jobs = [record.wildcards for record in self.records if record.rule_name == rule]
        return {"/".join(str(value) for name, value in job.items() if name != "runtime") for job in jobs}


class Workflow:
    """The repository's workflow, run in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copy(REPOSITORY / "config.yaml", folder)
        for name in ("config", "zoo", "workflow"):
            if not (folder / name).exists():
                (folder / name).symlink_to(REPOSITORY / name)

    def run(
        self, executor: str, overlays: tuple[str, ...], config: dict[str, Any], targets: tuple[str, ...]
    ) -> Announced:
        announced = Announced()
        with (
            mock.patch.dict(os.environ),  # the Snakefile gives its jobs other variables, and another name of Python
            mock.patch.object(sys, "executable", sys.executable),
            mock.patch("snakemake.workflow.parse", _parsed_once),
            SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, dryrun=executor == "dryrun")) as api,
        ):
            workflow = api.workflow(
                resource_settings=ResourceSettings(cores=2),
                config_settings=ConfigSettings(
                    config=config, configfiles=[self.folder / "config" / name for name in overlays]
                ),
                snakefile=REPOSITORY / "Snakefile",
                workdir=self.folder,
            )
            dag = workflow.dag(
                dag_settings=DAGSettings(
                    targets=set(targets),
                    rerun_triggers=TRIGGERS,
                    max_checksum_file_size=LARGEST_COMPARED,
                    forceall=executor == "touch",
                )
            )
            logger.addHandler(announced)
            try:
                dag.execute_workflow(executor=executor)
            finally:
                logger.removeHandler(announced)
        return announced

    def due(self, *overlays: str, config: dict[str, Any] | None = None, targets: tuple[str, ...] = ()) -> Announced:
        """What a dry run announces."""
        return self.run("dryrun", overlays, config or {}, targets)

    def finish(self, *overlays: str, targets: tuple[str, ...] = (), large: bool = False) -> None:
        """Make it look as if the study had run: outputs, and Snakemake's record of how they were made.

        Outputs are empty or, where they may be `large`, of 3 MB.
        """
        for record in self.due(*overlays, targets=targets).records:
            for output in record.output:
                path = self.folder / output.removesuffix(" (update)")
                if not path.suffix and record.rule_name in ("bundle", "search"):  # a folder
                    path.mkdir(parents=True, exist_ok=True)
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(os.urandom(3_000_000) if large else b"")
        with mock.patch("time.sleep"):  # a tenth of a second a job, for file systems that tell times no finer
            self.run("touch", overlays, {}, targets)


def with_imagenet(workflow: Workflow) -> Workflow:
    """A folder with ImageNet's three files in their place, larger than what Snakemake compares by content."""
    (workflow.folder / "imagenet").mkdir()
    for name in PHOTOGRAPHS:
        (workflow.folder / "imagenet" / name).touch()
        os.truncate(workflow.folder / "imagenet" / name, LARGEST_COMPARED + 1)
    return workflow


def edit(monkeypatch: pytest.MonkeyPatch, *files: str) -> None:
    """Make it look as if every definition in files of workflow/ had been edited."""
    original, edited = digests._digest, {digests.LIBRARY.parent / file for file in files}
    assert all(file.is_file() for file in edited)

    def digest(file: Path, name: str) -> str:
        return "edited" if file in edited and can_be_edited(file, name) else original(file, name)

    monkeypatch.setattr(digests, "_digest", digest)


def can_be_edited(file: Path, name: str) -> bool:
    """Return whether something stands at a place: a definition or, without a name, other statements or data."""
    return file.suffix != ".py" or name in parse(file).definitions
