"""The report of a study: one HTML file that needs nothing but itself."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from tocompress.files import replace_on_success
from tocompress.reporting.figures import caption
from tocompress.reporting.figures.captions import listing
from tocompress.reporting.study import BASELINE, METRICS, devices, models, select, variants
from tocompress.reporting.style import DEQUANTIZATION_NAMES, METRIC_NAMES, model_name, quantity
from tocompress.schemas.benchmark import SESSION
from tocompress.schemas.study import STUDY
from tocompress.settings.reporting import Report, ReportInputs
from tocompress.tables import read_table

_MOST = 3  # different values of one fact that are listed

#: How the numbers of a metric come to be.
METHODS: dict[str, str] = {
    "parameters": "counted in the weights, batch norm statistics included",
    "macs": "counted from the shapes of the layers, for one input",
    "filters_removed": "counted in the weights",
    "size": "size of the file that a device loads",
    "size_deflated": "size of that file, compressed",
    "latency": "wall clock from input to output, load excluded; median of each fresh process, mean over processes",
    "latency_per_token": "as inference time, divided by the tokens generated",
    "memory": "peak of a fresh process from its second inference on, above that of a control process without a model",
    "power_mean": "energy of a block of inferences above idle, divided by its duration; mean over fresh processes",
    "power_peak": "99th percentile in a block of the mean power over 100 ms, above idle; mean over fresh processes",
    "energy": "power above idle, integrated over a block of inferences and the sensor's tail, an inference;"
    " mean over fresh processes",
    "top1": "share of the test set whose best class is right",
    "top5": "share of the test set whose class is among the best five",
    "precision": "mean over classes",
    "recall": "mean over classes",
    "f1": "mean over classes",
    "bleu": "sacreBLEU on the test set, 0 to 100",
    "bleu_tokenized": "BLEU of tokens on the test set, as tensorflow/nmt's scripts compute it, 0 to 100",
    "operation_share": "share of the time of all profiled operations of an inference",
}


def write_report(
    path: str | Path,
    settings: ReportInputs,
    *,
    study: str | Path,
    figures: Sequence[str | Path],
    sessions: Sequence[str | Path],
) -> None:
    """Write the report of the table in the file `study`; `sessions` come device by device, as many of each."""
    table = read_table(study, STUDY)
    captioned = [(Path(png).stem, png, caption(Path(png).stem, table, settings.plot)) for png in figures]
    each = len(sessions) // max(len(settings.devices), 1)
    provenance = {
        device: session_facts(read_table(file, SESSION) for file in sessions[number * each : (number + 1) * each])
        for number, device in enumerate(settings.devices)
    }
    with replace_on_success(path) as temporary:
        temporary.write_text(report(table, captioned, settings.report, provenance), encoding="utf-8")


@dataclass(frozen=True)
class _Figure:
    name: str
    number: str
    image: str  # base64
    caption: str


def report(
    study: pd.DataFrame,
    figures: Sequence[tuple[str, str | Path, str]],
    settings: Report,
    provenance: Mapping[str, Mapping[str, str]],
) -> str:
    """The report as HTML: headline numbers, every figure (name, PNG file, caption), all rows of the table `study`.

    `provenance` is what ran where: a heading (a device, the workflow) to its facts; see `session_facts`.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tocompress.reporting"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html.j2").render(
        title=settings.title,
        models=[model_name(model, network) for model, network in _networks(study)],
        variants=variants(study),
        devices=devices(study),
        headlines=headlines(study),
        figures=[_Figure(name, _number(name), _base64(path), caption) for name, path, caption in figures],
        provenance=provenance,
        methods=_methods(study),
        columns=_columns(study),
        rows=_cells(study),
    )


def session_facts(sessions: Iterable[pd.DataFrame]) -> dict[str, str]:
    """One text a key from several tables `session`: the value, the few values, or how many there are.

    Digests of files and outputs are left to the tables.
    """
    values: dict[str, list[str]] = {}
    for session in sessions:
        told = session[~session["key"].str.startswith(("output/", "sha256/"))]
        for key, value in told[["key", "value"]].itertuples(index=False):
            values.setdefault(key, []).append("" if pd.isna(value) else str(value))
    different = {key: list(dict.fromkeys(found)) for key, found in values.items()}
    return {
        key: ", ".join(found)
        if len(found) <= _MOST
        else f"{len(found)} different values, from {min(found)} to {max(found)}"
        for key, found in different.items()
    }


def headlines(study: pd.DataFrame) -> list[str]:
    """A sentence a variant: means over models of the changes from fp32, with their range."""
    sentences = []
    for variant in variants(study):
        phrases = [phrase for phrase in _phrases(study, variant) if phrase]
        if variant != BASELINE and phrases:
            sentences.append(f"{variant}: {'; '.join(phrases)}.")
    return sentences


def _phrases(study: pd.DataFrame, variant: str) -> Iterator[str]:
    own = study[study["variant"] == variant]
    modes = [mode for mode in DEQUANTIZATION_NAMES if mode in set(own["dequantization"])] or list(DEQUANTIZATION_NAMES)
    for metric in ("size", "latency", "memory", "energy", "top1", "bleu"):
        if own.loc[own["metric"] == metric, "dequantization"].isna().all():
            yield _change(METRIC_NAMES[metric], select(own, metric, dequantization=modes[0])["ratio"])
        else:
            for mode in modes:
                ratios = select(own, metric, dequantization=mode)["ratio"]
                yield _change(f"{METRIC_NAMES[metric]} ({DEQUANTIZATION_NAMES[mode]})", ratios)


def _change(name: str, ratios: pd.Series[float]) -> str:
    """`file size -74.6 % (-75.0 to -73.9 %, 6 models)`."""
    changes = 100 * (ratios.dropna().astype(float) - 1)
    if changes.empty:
        return ""
    if len(changes) == 1:
        return f"{name} {_signed(changes.iloc[0])} % (one model)"
    spread = f"{_signed(changes.min())} to {_signed(changes.max())} %"
    return f"{name} {_signed(changes.mean())} % ({spread}, {len(changes)} models)"


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "\N{MINUS SIGN}")


def _networks(study: pd.DataFrame) -> list[tuple[str, str]]:
    networks = study.drop_duplicates("model").set_index("model")["network"]
    return [(model, networks[model]) for model in models(study)]


def _methods(study: pd.DataFrame) -> list[dict[str, str]]:
    """A row a metric of the study: its unit, how it came to be, and how many values have which basis."""
    rows = []
    for metric in METRICS:
        own = study[study["metric"] == metric]
        if own.empty:
            continue
        counts = own["basis"].value_counts()
        reasons = listing(own.loc[own["basis"] == "unavailable", "reason"].unique())
        rows.append(
            {
                "metric": METRIC_NAMES[metric],
                "unit": "" if METRICS[metric] == "1" else METRICS[metric],
                "method": METHODS[metric],
                "basis": ", ".join(f"{count:,} {basis}" for basis, count in counts.sort_index().items()),
                "reasons": reasons,
            }
        )
    return rows


def _columns(study: pd.DataFrame) -> list[str]:
    """The columns that say anything: intervals go with their value, units into it."""
    merged = {"low", "high", "ratio_low", "ratio_high", "unit", "network", "level"}
    return [name for name in study.columns if name not in merged and study[name].notna().any()]


def _cells(study: pd.DataFrame) -> list[list[str]]:
    columns = _columns(study)
    return [[_cell(row, column) for column in columns] for row in study.to_dict("records")]


def _cell(row: Mapping[str, Any], column: str) -> str:
    value = row[column]
    if pd.isna(value):
        return ""
    if column == "value":
        return quantity(value, row["unit"]) + _interval(
            *(quantity(row[edge], row["unit"]) if not pd.isna(row[edge]) else "" for edge in ("low", "high"))
        )
    if column == "ratio":
        return f"{value:.3f}" + _interval(
            *(f"{row[edge]:.3f}" if not pd.isna(row[edge]) else "" for edge in ("ratio_low", "ratio_high"))
        )
    if column == "converged":
        return "yes" if value else "no"
    if column == "metric":
        return METRIC_NAMES[value]
    return f"{int(value):,}" if column in ("n", "processes") else str(value)


def _interval(low: str, high: str) -> str:
    return f" [{low}, {high}]" if low and high else ""


def _number(name: str) -> str:
    """The paper's number of a figure, from the figure's name; the name of one that the paper has not."""
    if name.startswith("table1"):
        return "Table I"
    found = re.match(r"fig(\d+)", name)
    return f"Figure {int(found.group(1))}" if found else name.replace("_", " ").capitalize()


def _base64(path: str | Path) -> str:
    return base64.b64encode(Path(path).read_bytes()).decode("ascii")
