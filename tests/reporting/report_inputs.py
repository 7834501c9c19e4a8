"""What a report is made of, made up: claims, figures, settings."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tocompress.paths import FIGURE_FORMATS
from tocompress.reporting import figures
from tocompress.reporting.claims import VERDICTS
from tocompress.reporting.report.page import Figure
from tocompress.schemas.study import CLAIMS
from tocompress.settings.jobs import ReportFiles, ReportJob
from tocompress.settings.reporting import Plot, Report

FILES = ReportFiles(
    folder="results/made_up",
    artifacts={
        "tensorflow": "artifacts/tensorflow/{model}/{variant}.pb",
        "litert": "artifacts/litert/{model}/{variant}.tflite",
    },
    bundle="results/made_up/bundles/{runtime}/{model}/{variant}",
)
SETTINGS = ReportJob(
    report=Report(), plot=Plot(dpi=50), devices=("host",), files=FILES, config={"study": {"name": "made_up"}}
)


def make_claims(verdicts=VERDICTS) -> pd.DataFrame:
    """A claim a verdict."""
    rows = []
    for number, verdict in enumerate(verdicts):
        known = verdict != "not measured"
        row = dict.fromkeys(CLAIMS.names) | {
            "claim": f"claim_{number}", "section": "IV-E", "figure": "13b", "statement": f"statement {number}",
            "unit": "%", "paper": -28.0, "bound": "about", "margin": 5.0, "verdict": verdict, "n": 3 if known else 0,
        }  # fmt: skip
        if known:
            row |= {"value": -25.0, "low": -27.25, "high": -22.5, "level": 0.95, "models": "vgg_16, gnmt"}
        else:
            row |= {"reason": "no power sensor", "inconsistent_with": "claim_0"}
        rows.append(row)
    return pd.DataFrame(rows, columns=CLAIMS.names)


def draw_figures(study: pd.DataFrame, folder: Path, *names: str) -> list[Figure]:
    """These figures of a study, drawn and read again."""
    found = []
    for name in names:
        drawing = figures.draw(name, study, SETTINGS.plot)
        files = {kind: folder / f"{name}.{kind}" for kind in FIGURE_FORMATS}
        figures.save(drawing, files, SETTINGS.plot)
        caption = figures.caption(name, study, SETTINGS.plot)
        found.append(Figure(name, files["svg"].read_text(), caption, pd.read_csv(files["csv"])))
    return found
