"""Make the card of a bundle: all that is known of an artifact, for programs and for people."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tocompress.bundles.inputs import Facts, interface
from tocompress.bundles.words import in_words
from tocompress.models.registry import find
from tocompress.reporting.study import typed
from tocompress.reporting.style import in_points, quantity
from tocompress.settings.jobs import BundleJob
from tocompress.vocabulary.metrics import METRICS
from tocompress.vocabulary.runtimes import title
from tocompress.vocabulary.variants import Variant

_OF_A_VALUE = (
    *("metric", "label", "value", "unit", "low", "high", "level", "n", "processes", "basis", "reason"),
    *("ratio", "ratio_low", "ratio_high", "change", "change_low", "change_high", "settled", "ratio_settled"),
    *("device", "processor", "arithmetic", "dataset"),
)


def card(job: BundleJob, study: pd.DataFrame, artifact: Facts, weights: Facts) -> Facts:
    """Return the card of a bundle. `artifact` and `weights` are the facts of these files, such as their `sha256`."""
    model = job.model
    return {
        "model": job.name,
        "network": model.network,
        "build": model.build,
        "width": getattr(model, "width", None),
        "task": model.task,
        "dataset": model.data,
        "variant": job.variant,
        "techniques": [_technique(job, name) for name in Variant.parse(job.variant).techniques],
        "runtime": job.runtime,
        "arithmetic": list(job.arithmetic),
        "artifact": artifact,
        "weights": weights,
        **interface(job),
        "metrics": _metrics(job, study),
        "command": job.command,
    }


def _technique(job: BundleJob, name: str) -> Facts:
    technique = job.techniques[name]
    return {"name": name, "in_words": in_words(technique), "settings": technique.model_dump(mode="json")}


def _metrics(job: BundleJob, study: pd.DataFrame) -> list[Facts]:
    """Return the table's rows of the variant in the runtime, or in none, each without the cells that are null."""
    own = study["model"].eq(job.name) & study["variant"].eq(job.variant)
    here = study["runtime"].eq(job.runtime) | study["runtime"].isna()
    rows = typed(study[own & here])[[*_OF_A_VALUE]].astype(object)
    return [_plain(row) for row in rows.to_dict("records")]


def _plain(row: dict[Any, Any]) -> Facts:
    known = {str(name): value for name, value in row.items() if not pd.isna(value)}
    return {name: value.item() if hasattr(value, "item") else value for name, value in known.items()}


def as_text(card: Facts) -> str:
    """Return a card as Markdown."""
    parts = [
        f"# {card['model']} {card['variant']} for {title(card['runtime'])}",
        _facts(card),
        "## Run it",
        _usage(card),
        "## Input and output",
        _interface(card),
        "## Values",
        _values(card["metrics"]),
        "## Make it again",
        "With the `--configfile` of the study, if it has one:",
        f"```sh\n{card['command']}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _facts(card: Facts) -> str:
    chain = [f"`{technique['name']}`: {technique['in_words']}" for technique in card["techniques"]]
    rows = {
        "network": find(card["network"]).title,
        "build": card["build"] + ("" if card["width"] is None else f", width {card['width']:g}"),
        "task": card["task"],
        "dataset": card["dataset"],
        "variant": "<br>".join(chain) or "the uncompressed model",
        "runtime": title(card["runtime"]),
        "arithmetic": " or ".join(card["arithmetic"]),
        "artifact": f"`{card['artifact']['file']}`, sha256 `{card['artifact']['sha256']}`",
        "weights": f"sha256 `{card['weights']['sha256']}`",
    }
    return _table(["fact", "value"], [[name, str(value)] for name, value in rows.items()])


def _usage(card: Facts) -> str:
    given = "picture.png" if card["task"] == "classification" else "sentences.txt"
    packages = " ".join(card["artifact"]["packages"])
    return f"```sh\npip install {packages}\npython run.py {given}\n```\n\nIt takes Python 3.10 or newer."


def _interface(card: Facts) -> str:
    parts = [*card["inputs"], {"name": "output", **card["output"]}]
    rows = [[f"`{part['name']}`", part["dtype"], str(part["shape"]), part["holds"]] for part in parts]
    names = f"\n\nThe names of the classes, in their order: `{card['labels']}`." if card.get("labels") else ""
    return f"{_table(['name', 'type', 'shape', 'content'], rows)}\n\n{card['preprocessing']['in_words']}{names}"


def _values(rows: list[Facts]) -> str:
    heads = ["metric", "of", "value", "interval", "n", "against fp32", "settled", "basis", "measured on"]
    return _table(heads, [_row(row) for row in rows])


def _row(row: Facts) -> list[str]:
    unit, metric = row["unit"], METRICS[row["metric"]]
    value = quantity(row["value"], unit) if "value" in row else f"unavailable: {row['reason']}"
    interval = _interval(quantity(row["low"], unit), quantity(row["high"], unit), row) if "low" in row else ""
    label = "" if metric.signed else row.get("label", "")
    where = ", ".join(row[name] for name in ("device", "processor", "arithmetic", "dataset") if name in row)
    count = str(row.get("n", ""))
    return [metric.title, label, value, interval, count, _against_fp32(row), _settled(row), row["basis"], where]


def _against_fp32(row: Facts) -> str:
    """Return the change of an accuracy in points, or the ratio of another value."""
    if "change" in row:
        change = in_points(row["change"], row["unit"])
        low, high = (in_points(row[name], row["unit"], name=False) for name in ("change_low", "change_high"))
        return f"{change}, {_interval(low, high, row)}"
    low, middle, high = (f"{row[name]:.3g}" if name in row else "" for name in ("ratio_low", "ratio", "ratio_high"))
    return f"{middle}, {_interval(low, high, row)}" if low else middle


def _interval(low: str, high: str, row: Facts) -> str:
    return f"{low} to {high}" + (f" ({row['level']:.0%})" if "level" in row else "")


def _settled(row: Facts) -> str:
    """Return whether the value and its ratio are settled. Without such a verdict, as for sizes, the text is empty."""
    told = {"value": row.get("settled"), "ratio": row.get("ratio_settled")}
    return ", ".join(f"{name}: {'yes' if flag else 'no'}" for name, flag in told.items() if flag is not None)


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
