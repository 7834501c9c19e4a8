"""The report of a study: one self-contained HTML file."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml

from tocompress.files import replace_on_success
from tocompress.reporting import search
from tocompress.reporting.causes import causes
from tocompress.reporting.claims import (
    AGREES,
    CIRCULAR,
    CONTRADICTS,
    DEPENDS,
    NOT_COMPARABLE,
    NOT_MEASURED,
    SAME_DIRECTION,
    UNDECIDED,
    by_statement,
)
from tocompress.reporting.classes import worst_classes
from tocompress.reporting.costs import costs
from tocompress.reporting.effects import counted
from tocompress.reporting.embedding import embedded
from tocompress.reporting.figures import caption, png
from tocompress.reporting.figures import search as search_figure
from tocompress.reporting.figures.captions import options_of
from tocompress.reporting.guidelines import GOALS, guidelines
from tocompress.reporting.headline import has_networks_of_paper, headline, of_runtimes
from tocompress.reporting.machines import noise, products, session_facts, summary, versions
from tocompress.reporting.methods import methods
from tocompress.reporting.study import devices, models, runtimes, variants
from tocompress.reporting.style import digits, model_name, quantity
from tocompress.schemas.benchmark import SESSION
from tocompress.schemas.study import CANDIDATES, CLAIMS, STUDY
from tocompress.settings.jobs import ReportJob, SearchFigureJob
from tocompress.tables import read_table
from tocompress.vocabulary.arithmetic import in_print
from tocompress.vocabulary.runtimes import title

#: Each verdict on a claim or one of its readings, with its sign and its meaning.
VERDICTS = {
    AGREES: ("✓", "the whole interval lies within the paper's number and its margin"),
    SAME_DIRECTION: ("↗", "not all of the interval does, but it excludes no change, on the paper's side of it"),
    CONTRADICTS: ("✗", "nothing of the interval lies within the margin, nor is the direction the same"),
    DEPENDS: ("~", "the paper's text can be read in several ways, which are judged differently"),
    UNDECIDED: ("?", "the interval is too wide to tell, a number is not settled, or too few networks were measured"),
    NOT_COMPARABLE: ("≠", "measured, but under conditions that differ from the paper's"),
    NOT_MEASURED: ("–", "this study has no such value"),
    CIRCULAR: ("↻", "the value was chosen by the accuracy that it would be judged by"),
}

_TABLE_1 = "table1_models"
#: Columns of the table of all values: the first ones, and the ones that other columns or sections repeat.
_FIRST = ("model", "variant", "metric", "label", "value", "ratio", "runtime", "arithmetic")
_LEFT_OUT = ("network", "methods", "bits", "granularity", "options", "activations", "level")

_BUILDS = {"zoo": "reduced", "published": "published", "own": "own", "initial": "initial"}


@dataclass(frozen=True)
class Figure:
    """A figure of the report: its name, its picture as PNG, its caption, and the rows behind it."""

    name: str
    png: bytes
    caption: str
    rows: pd.DataFrame

    @property
    def number(self) -> str:
        """Return the paper's number of the figure, or the name of a figure that the paper does not have."""
        if self.name == _TABLE_1:
            return "Table I"
        found = re.match(r"fig(\d+)", self.name)
        return f"Figure {int(found.group(1))}" if found else self.name.replace("_", " ").capitalize()

    @property
    def alternative(self) -> str:
        """Return the text that replaces the picture: its number and the first sentence of its caption."""
        first, *_ = re.split(r"[.;:]\s", self.caption, maxsplit=1)
        return f"{self.number}: {first}"

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height in pixels."""
        width, height = struct.unpack(">II", self.png[16:24])
        return width, height

    @property
    def image(self) -> str:
        """Return the picture in base64."""
        return base64.b64encode(self.png).decode("ascii")

    @property
    def data(self) -> str:
        """Return the rows as JSON."""
        return embedded(self.rows)


@dataclass(frozen=True)
class Search:
    """A finished search: the settings of its figure, its answer, and its table of schema `candidates`."""

    settings: SearchFigureJob
    answer: Mapping[str, Any]
    candidates: pd.DataFrame


def write_report(
    path: str | Path,
    settings: ReportJob,
    *,
    study: str | Path,
    claims: str | Path,
    figures: Sequence[str | Path],
    tables: Sequence[str | Path],
    sessions: Sequence[str | Path],
    answers: Sequence[str | Path] = (),
    candidates: Sequence[str | Path] = (),
) -> None:
    """Write the report of the tables in the files `study` and `claims`.

    `figures` are PNG files, `tables` the CSV files behind them with the same names. `answers` and `candidates` are
    files of the finished searches, in the order of the settings.
    """
    table = read_table(study, STUDY)
    behind = {Path(csv).stem: csv for csv in tables}
    drawn = [
        Figure(
            Path(png).stem,
            Path(png).read_bytes(),
            caption(Path(png).stem, table, settings.plot),
            pd.read_csv(behind[Path(png).stem], keep_default_na=False, na_values=[""]),
        )
        for png in figures
    ]
    told = [read_table(file, SESSION) for file in sessions]
    of_devices = {device: [table[table["device"] == device] for table in told] for device in settings.devices}
    searches = [
        Search(own, json.loads(Path(answer).read_text(encoding="utf-8")), read_table(tried, CANDIDATES))
        for own, answer, tried in zip(settings.searches, answers, candidates, strict=True)
    ]
    html = report(table, read_table(claims, CLAIMS), drawn, settings, of_devices, searches)
    with replace_on_success(path) as temporary:
        temporary.write_text(html, encoding="utf-8")


def report(
    study: pd.DataFrame,
    claims: pd.DataFrame,
    figures: Sequence[Figure],
    settings: ReportJob,
    sessions: Mapping[str, Sequence[pd.DataFrame]],
    searches: Sequence[Search] = (),
) -> str:
    """Return the HTML report of tables of the schemas `study`, `claims` and, of each device, `session`."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tocompress.reporting"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("report.html.j2").render(
        title=settings.report.title,
        models=_model_names(study),
        variants=variants(study),
        options=options_of(study),
        devices=devices(study),
        runtimes=[title(runtime) for runtime in runtimes(study)],
        headline=headline(study, claims),
        machines=[_machine(study, device, own) for device, own in sessions.items()],
        versions=versions(),
        config=_as_yaml(settings.config),
        methods=methods(study),
        levels=[f"{100 * level:g} %" for level in sorted(study["level"].dropna().unique())],
        rows=len(study),
        data=embedded(study[[*_FIRST, *(name for name in study.columns if name not in (*_FIRST, *_LEFT_OUT))]]),
        **_look(environment),
        **_figures(figures),
        searches=[_search(found) for found in searches],
        **_claims(claims),
        classes=worst_classes(study),
        has_networks_of_paper=has_networks_of_paper(study),
        **_guidelines(study),
        **_causes(study, sessions),
    )


def _machine(study: pd.DataFrame, device: str, sessions: Sequence[pd.DataFrame]) -> dict[str, Any]:
    """Return a device's name and facts, how much times varied on it, and the costs of uncompressed models there."""
    facts = session_facts(sessions)
    return {
        "device": device,
        "summary": summary(facts),
        "facts": facts,
        "noise": noise(sessions),
        "costs": costs(study, device),
    }


def _look(environment: jinja2.Environment) -> dict[str, Any]:
    """Return the page's style and script, and the digest by which a browser accepts the script."""
    script = _source(environment, "report.js")
    return {
        "style": _source(environment, "report.css"),
        "script": script,
        "script_digest": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
    }


def _figures(figures: Sequence[Figure]) -> dict[str, Any]:
    """Return Table I, its rows, and the other figures."""
    table_1 = next((figure for figure in figures if figure.name == _TABLE_1), None)
    return {
        "table_1": table_1,
        "model_rows": _model_rows(table_1.rows) if table_1 else [],
        "figures": [figure for figure in figures if figure is not table_1],
    }


def _search(found: Search) -> dict[str, Any]:
    """Return the answer of a search, its figure, its judged candidates, and the place of the chosen one."""
    settings, answer, candidates = found.settings, found.answer, found.candidates
    drawn = search_figure.without_caption(candidates, answer, settings)
    text = search_figure.caption(candidates, answer, settings)
    return {
        "model": model_name(settings.model, settings.network),
        "answer": answer["answer"],
        "figure": Figure(f"search_{settings.model}", png(drawn, settings.plot), text, drawn.table),
        "requirements": search.requirements(answer),
        "judged": search.judged(answer, candidates),
        "effort": search.effort(answer),
        "page": f"search/{settings.model}/chosen/{'card' if answer['met'] else 'answer'}.md",
        "met": answer["met"],
    }


def _claims(claims: pd.DataFrame) -> dict[str, Any]:
    """Return the claims, the meanings of verdicts, and the counts of verdicts on numbers and on other statements."""
    statements = by_statement(claims)
    return {
        "claims": [_claim(row) for row in claims.to_dict("records")],
        "verdicts": VERDICTS,
        "number_counts": statements.loc[statements["number"], "verdict"].value_counts().to_dict(),
        "wording_counts": statements.loc[~statements["number"], "verdict"].value_counts().to_dict(),
    }


def _guidelines(study: pd.DataFrame) -> dict[str, Any]:
    """Return the guidelines, all goals, and the goals on which any guideline knows an effect."""
    advice = guidelines(study)
    effects = [found.effects for rows in advice.values() for found in rows]
    return {
        "guidelines": advice,
        "of_runtimes": of_runtimes(study),
        "goals": list(GOALS),
        "known_goals": [goal for goal in GOALS if any(effect.get(goal) for effect in effects)],
    }


def _causes(study: pd.DataFrame, sessions: Mapping[str, Sequence[pd.DataFrame]]) -> dict[str, Any]:
    """Return the table of why variants are faster or slower, with its number of rows."""
    found = causes(study, {device: products(session_facts(own)) for device, own in sessions.items()})
    names = [model_name(model, network) for model, network in zip(found["model"], found["network"], strict=True)]
    shown = found.drop(columns=["network"] if found["device"].nunique() > 1 else ["network", "device"]).assign(
        model=names, runtime=found["runtime"].map(title), arithmetic=found["arithmetic"].map(in_print)
    )
    return {"cause_rows": len(shown), "causes": embedded(shown.rename(columns={"integers": "share_in_integers"}))}


def _as_yaml(config: Mapping[str, Any]) -> str:
    """Return the config as in its file but with the selection first, or an empty text for no config."""
    selection_first = dict(sorted(config.items(), key=lambda section: section[0] != "study"))
    return yaml.safe_dump(selection_first, sort_keys=False, width=100) if config else ""


def _source(environment: jinja2.Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0].strip()


def _model_names(study: pd.DataFrame) -> list[str]:
    networks = study.drop_duplicates("model").set_index("model")["network"]
    return [model_name(model, networks[model]) for model in models(study)]


def _model_rows(rows: pd.DataFrame) -> list[dict[str, str]]:
    """Return Table I, one row per model."""

    def cell(row: Mapping[str, Any], name: str, show: Callable[[float], str]) -> str:
        return "" if pd.isna(row.get(name)) else show(row[name])

    def with_interval(row: Mapping[str, Any], name: str, scale: float) -> str:
        half_width = (row[f"{name}_high"] - row[f"{name}_low"]) / 2 if f"{name}_low" in row else float("nan")
        half = "" if pd.isna(half_width) else f" ±{scale * half_width:.1f}"
        return cell(row, name, lambda value: f"{scale * value:.1f}{half}")

    return [
        {
            "model": model_name(row["model"], row["network"]),
            "weights": _BUILDS[row["build"]],
            "type": row["type"],
            "depth": str(row["depth"]),
            "top1_paper": cell(row, "top1_paper", "{:.4g}".format),
            "top1": with_interval(row, "top1", 100),
            "top5_paper": cell(row, "top5_paper", "{:.4g}".format),
            "top5": with_interval(row, "top5", 100),
            "bleu_paper": cell(row, "bleu_paper", "{:.4g}".format),
            "bleu": with_interval(row, "bleu", 1),
            "parameters_paper": cell(row, "parameters_paper", lambda value: quantity(value, "1")),
            "parameters_published": cell(row, "parameters_published", lambda value: quantity(value, "1")),
            "parameters": cell(row, "parameters", lambda value: quantity(value, "1")),
            "size": cell(row, "size", lambda value: quantity(value, "byte")),
            "macs": cell(row, "macs", lambda value: quantity(value, "1")),
        }
        for row in rows.to_dict("records")
    ]


def _claim(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the schema `claims` as text."""

    def text(name: str) -> str:
        return "" if pd.isna(row[name]) else str(row[name])

    def number(name: str) -> str:
        return "" if pd.isna(row[name]) else _plain(row[name])

    def with_unit(numbers: str) -> str:
        if not numbers or text("unit") in ("", "1"):
            return numbers
        return f"×{numbers}" if row["unit"] == "×" else f"{numbers}\N{NO-BREAK SPACE}{row['unit']}"

    low, high = number("low"), number("high")
    paper = with_unit(" to ".join(filter(None, [number("paper"), number("paper_high")]))) or "no change"
    sign, _ = VERDICTS[row["verdict"]]
    return {
        "claim": text("claim"),
        "section": text("section"),
        "figure": re.sub(r"^(?=\d)", "Fig. ", text("figure")),
        "statement": text("statement"),
        "reading": text("reading"),
        "paper": paper if row["bound"] == "range" else f"{row['bound']} {paper}",
        "margin": f"±{number('margin')}" if row["margin"] > 0 else "",
        "value": with_unit(number("value")),
        "interval": f"{low} to {high}" if low and high else "",
        "n": "" if pd.isna(row["n"]) or not row["n"] else counted(int(row["n"]), "model"),
        "models": text("models"),
        "sign": sign,
        "verdict": text("verdict"),
        "reason": text("reason"),
        "inconsistent_with": text("inconsistent_with").split(", ") if text("inconsistent_with") else [],
    }


def _plain(value: float) -> str:
    """Return a number with at most three digits and a typographic minus sign."""
    text = digits(value)
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "\N{MINUS SIGN}")
