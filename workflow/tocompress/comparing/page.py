"""Write the page of a comparison: one self-contained HTML file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from tocompress.comparing.costs import TO_FP32, VALUE
from tocompress.comparing.facts import Bearing, Fact, facts
from tocompress.comparing.sides import Side
from tocompress.comparing.table import paired_devices
from tocompress.comparing.verdicts import EQUAL, NOT_COMPARABLE, UNDECIDED, VERDICTS
from tocompress.files import replace_on_success
from tocompress.reporting.effects import counted
from tocompress.reporting.style import digits, in_points, model_name, quantity
from tocompress.settings.jobs import CompareJob
from tocompress.vocabulary.arithmetic import in_print
from tocompress.vocabulary.metrics import METRICS
from tocompress.vocabulary.runtimes import title

_TIME = "latency"


def write_page(path: str | Path, table: pd.DataFrame, here: Side, there: Side, settings: CompareJob) -> None:
    """Write the page of a table `compared`, whole or not at all."""
    names = dict(pd.concat([there.study, here.study])[["model", "network"]].itertuples(index=False, name=None))
    html = page(table, facts(here, there, paired_devices(here, there)), names, settings)
    with replace_on_success(path) as temporary:
        temporary.write_text(html, encoding="utf-8")


def page(table: pd.DataFrame, found: Sequence[Fact], networks: Mapping[str, str], settings: CompareJob) -> str:
    """Return the page of a table `compared` and of facts. `networks` has the network of each model."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tocompress.comparing"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    script = _source(environment, "compare.js")
    return environment.get_template("compare.html.j2").render(
        here=settings.here,
        there=settings.there,
        finding=finding(table, settings),
        standing=standing(found),
        facts=found,
        counts=counts(table),
        rows=[_row(row, networks) for row in table.to_dict("records")],
        tests=int(table["chance"].notna().sum()),
        level=f"{100 * settings.level:g}\N{NO-BREAK SPACE}%",
        error=f"{100 * (1 - settings.level):.2g}\N{NO-BREAK SPACE}%",
        equal=f"{100 * settings.compare.equal:g}\N{NO-BREAK SPACE}%",
        points=counted_points(settings.compare.equal_points),
        style=_source(environment, "compare.css"),
        script=script,
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
    )


def finding(table: pd.DataFrame, settings: CompareJob) -> str:
    """Return one sentence on the inference times. Without any, it is on the other values."""
    times = table[(table["metric"] == _TIME) & (table["quantity"] == VALUE) & (table["verdict"] != NOT_COMPARABLE)]
    if times.empty:
        judged = table[table["verdict"] != NOT_COMPARABLE]
        same = int((judged["verdict"] == EQUAL).sum())
        return f"No inference time can be compared. Of {counted(len(judged), 'other value')}, {same} are equal."
    parts = [part for word in ("slower", "faster") if (part := _changed(times, word))]
    for word, told in ((EQUAL, f"equal within {100 * settings.compare.equal:g} %"), (UNDECIDED, UNDECIDED)):
        if number := int((times["verdict"] == word).sum()):
            parts.append(f"{number} {'is' if number == 1 else 'are'} {told}")
    return f"Of {counted(len(times), 'inference time')}, {', '.join(parts)}."


def _changed(times: pd.DataFrame, word: str) -> str:
    ratios = times.loc[times["verdict"] == word, "ratio"]
    if ratios.empty:
        return ""
    mean = float(np.exp(np.log(ratios).mean()))
    return f"{len(ratios)} {'is' if len(ratios) == 1 else 'are'} {word}, by ×{mean:.3g} on average"


def standing(found: Sequence[Fact]) -> str:
    """Return whether both studies' times are of the same machine, settings and versions."""
    if not found:
        return "The studies share no session, so no cost is compared."
    told = {
        Bearing.MACHINE: "two machines",
        Bearing.SETTING: "two settings",
        Bearing.VERSION: "two sets of versions",
    }
    different = [words for bearing, words in told.items() if any(fact.bearing is bearing for fact in found)]
    if different:
        return f"The times compare {' and '.join(different)}."
    if any(fact.bearing is Bearing.STATE for fact in found):
        return "Machine, settings and versions are the same. The machine was in another state."
    return "Machine, settings, versions and the state of the machine are the same."


def counts(table: pd.DataFrame) -> dict[str, int]:
    """Return the number of rows of each verdict that occurs."""
    numbers = table["verdict"].value_counts()
    return {word: int(numbers[word]) for word in VERDICTS if word in numbers}


def counted_points(points: float) -> str:
    """Return a number of points with its word."""
    return f"{points:g} point{'' if points == 1 else 's'}"


def _row(row: Mapping[str, Any], networks: Mapping[str, str]) -> dict[str, str]:
    """Return a row of the table `compared` as text."""
    known = {name: "" if pd.isna(value) else value for name, value in row.items()}
    of_fp32 = row["quantity"] == TO_FP32
    metric = METRICS[row["metric"]].title + (", ratio to fp32" if of_fp32 else "")
    label = f" ({known['label']} inputs)" if row["metric"] == "throughput" else ""
    arithmetic = in_print(known["arithmetic"]) if known["arithmetic"] not in ("", "float") else ""
    devices = " and ".join(dict.fromkeys(filter(None, (known["device"], known["other_device"]))))
    show = _ratio if of_fp32 else quantity
    return {
        "verdict": row["verdict"],
        "model": model_name(row["model"], networks[row["model"]]),
        "variant": row["variant"],
        "conditions": ", ".join(filter(None, (devices, title(known["runtime"]), arithmetic))),
        "metric": metric + label,
        "here": "" if pd.isna(row["here"]) else show(row["here"], row["unit"]),
        "there": "" if pd.isna(row["there"]) else show(row["there"], row["unit"]),
        "difference": _difference(row),
        "n": "" if pd.isna(row["n_here"]) else f"{row['n_here']:.0f}, {row['n_there']:.0f}",
        "chance": "" if pd.isna(row["chance"]) else _chance(row["chance"]),
        "artifact": known["artifact"],
        "reason": known["reason"],
    }


def _ratio(value: float, _: str) -> str:
    return f"×{digits(value)}"


def _difference(row: Mapping[str, Any]) -> str:
    """Return the ratio or the change of a row with its interval."""
    if not pd.isna(row["ratio"]):
        bounds = "" if pd.isna(row["ratio_low"]) else f" ({row['ratio_low']:.3f} to {row['ratio_high']:.3f})"
        return f"×{row['ratio']:.3f}{bounds}"
    if pd.isna(row["change"]):
        return ""
    low, high = (in_points(row[name], row["unit"], name=False) for name in ("change_low", "change_high"))
    return f"{in_points(row['change'], row['unit'])} ({low} to {high})"


def _chance(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _source(environment: jinja2.Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0].strip()
