"""Make docs/artifact-appendix.md: its numbers are counted, or taken from README.md, which says how they were measured.

make appendix
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import yaml
from dry_runs import Workflow

from tocompress.plan import plan

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/artifact-appendix.md"
TEMPLATE = PAGE.with_suffix(".template")


def page() -> str:
    """Return the page."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    planned = plan(config)
    with tempfile.TemporaryDirectory() as folder:
        jobs = Workflow(Path(folder)).due().rules
    return TEMPLATE.read_text(encoding="utf-8").format(
        rules=sum(
            len(re.findall(r"^(?:use )?rule ", file.read_text(), re.MULTILINE)) for file in ROOT.glob("rules/*.smk")
        ),
        models=len(planned.study.study.models),
        trained=len(planned.study.trained),
        pairs=len(planned.pairs()),
        runtimes=" and ".join(planned.study.study.runtimes),
        figures=len(planned.study.study.figures),
        jobs=jobs.total() - jobs["all"],
        sessions=jobs["benchmark"],
        zoo=round(sum(file.stat().st_size for file in ROOT.glob("zoo/*.tar.gz")) / 1e6),
        pins=len(re.findall(r"^[a-z0-9]\S*==", (ROOT / "envs/requirements.txt").read_text(), re.MULTILINE)),
        python=_stated(r"Python (3.*?)\.\n"),
        time=_stated(r"(On two cores .*?\.\s.*?processor time)"),
        disk=_stated(r"(The environment takes .*?GB)\.\n"),
        licence=yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["license"],
    )


def _stated(pattern: str) -> str:
    """Return a statement of README.md, so that it stands in one place."""
    found = re.search(pattern, (ROOT / "README.md").read_text(encoding="utf-8"))
    assert found, pattern
    return found[1]


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
