"""Put the report of a study on one page."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml

from tocompress.files import replace_on_success
from tocompress.reporting import search
from tocompress.reporting.figures import as_svg, caption
from tocompress.reporting.figures import search as search_figure
from tocompress.reporting.figures.captions import Caption, few_bits_sentence, listing, options_of
from tocompress.reporting.figures.svg import inline, variables
from tocompress.reporting.palette import dark_colours, looks
from tocompress.reporting.report.causes import causes
from tocompress.reporting.report.classes import worst_classes
from tocompress.reporting.report.costs import costs
from tocompress.reporting.report.embedding import embedded
from tocompress.reporting.report.finding import finding, has_networks_of_paper, unsettled
from tocompress.reporting.report.guidelines import BUDGETS, guidelines, unjudged
from tocompress.reporting.report.legend import legend
from tocompress.reporting.report.machines import (
    measured_on,
    noise,
    products,
    session_facts,
    several_processors,
    summary,
    versions,
)
from tocompress.reporting.report.methods import methods
from tocompress.reporting.report.rows import embedded_rows, rows, units
from tocompress.reporting.report.samples import histograms
from tocompress.reporting.report.statements import statements
from tocompress.reporting.report.table_one import model_rows
from tocompress.reporting.study import models, variants
from tocompress.reporting.style import model_name
from tocompress.schemas.benchmark import LATENCY, SESSION
from tocompress.schemas.study import CANDIDATES, CLAIMS, STUDY
from tocompress.settings.jobs import ReportJob, SearchFigureJob
from tocompress.tables import read_table
from tocompress.vocabulary.arithmetic import in_print
from tocompress.vocabulary.figures import FIGURES
from tocompress.vocabulary.metrics import JUDGES
from tocompress.vocabulary.runtimes import title

_TABLE_1 = "table1_models"
#: The columns of a table of labelled values that other columns or sections repeat.
_LEFT_OUT = ("network", "build", "methods", "bits", "granularity", "options", "activations", "level", "dataset")
#: The libraries of the page, in the order in which they are needed, and the look of the first.
_LIBRARIES, _LIBRARY_STYLE = ("tabulator.min.js", "d3.min.js", "plot.umd.min.js"), "tabulator.min.css"
_COMMIT = 12  # digits of a commit that are shown
_MAP = re.compile(r"^(//|/\*)# sourceMappingURL=.*$", re.MULTILINE)


@dataclass(frozen=True)
class Figure:
    """A figure of the report: its name, its picture as SVG, its caption, and the rows behind it."""

    name: str
    svg: str
    caption: Caption
    rows: pd.DataFrame

    @property
    def number(self) -> str:
        """Return the paper's number of the figure, or the name of a figure that the paper does not have."""
        if self.name == _TABLE_1:
            return "Table I"
        found = re.match(r"fig(\d+)", self.name)
        return f"Figure {int(found.group(1))}" if found else self.name.replace("_", " ").capitalize()

    @property
    def switches(self) -> list[str]:
        """Return the names of the alternatives between which the figure switches."""
        return re.findall(r'data-switch="([^"]+)"', self.svg)

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
    times: Sequence[str | Path],
    answers: Sequence[str | Path] = (),
    candidates: Sequence[str | Path] = (),
    commit: str | None = None,
) -> None:
    """Write the report of the tables in the files `study` and `claims`.

    `figures` are SVG files, `tables` the CSV files behind them with the same names. `answers` and `candidates` are
    files of the finished searches, in the order of the settings.
    """
    table = read_table(study, STUDY)
    behind = {Path(csv).stem: csv for csv in tables}
    drawn = [
        Figure(
            Path(svg).stem,
            Path(svg).read_text(encoding="utf-8"),
            caption(Path(svg).stem, table, settings.plot),
            pd.read_csv(behind[Path(svg).stem], keep_default_na=False, na_values=[""]),
        )
        for svg in figures
    ]
    told = [read_table(file, SESSION) for file in sessions]
    of_devices = {device: [table[table["device"] == device] for table in told] for device in settings.devices}
    searches = [
        Search(own, json.loads(Path(answer).read_text(encoding="utf-8")), read_table(tried, CANDIDATES))
        for own, answer, tried in zip(settings.searches, answers, candidates, strict=True)
    ]
    runs = (read_table(file, LATENCY) for file in times)
    html = report(table, read_table(claims, CLAIMS), drawn, settings, of_devices, runs, searches, commit)
    with replace_on_success(path) as temporary:
        temporary.write_text(html, encoding="utf-8")


def report(
    study: pd.DataFrame,
    claims: pd.DataFrame,
    figures: Sequence[Figure],
    settings: ReportJob,
    sessions: Mapping[str, Sequence[pd.DataFrame]],
    times: Iterable[pd.DataFrame] = (),
    searches: Sequence[Search] = (),
    commit: str | None = None,
) -> str:
    """Return the HTML report of tables of the schemas `study`, `claims` and, of each device, `session`.

    `times` are tables of schema `latency`. The page names the `commit` of the workflow.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tocompress.reporting"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    dark = dark_colours(looks(study).values())
    facts = {device: session_facts(own) for device, own in sessions.items()}
    return environment.get_template("report.html.j2").render(
        title=settings.report.title,
        files=settings.files,
        commit=_short(commit or ""),
        finding=finding(study),
        model_names=_model_names(study),
        models=models(study),
        variants=variants(study),
        options=options_of(study),
        legend=legend(study),
        measured_on=[measured_on(device, facts[device], own) for device, own in sessions.items() if own],
        unsettled=unsettled(study),
        judged_on=_judged_on(study),
        timed=_has(study, "latency"),
        powered=_has(study, "energy"),
        data=embedded_rows({"rows": rows(study, settings.files), "metrics": units(study)}),
        samples=embedded_rows(histograms(times)),
        budgets=[f"{budget:g}" for budget in BUDGETS],
        guidelines=guidelines(study),
        unjudged=unjudged(study),
        few_bits=few_bits_sentence(study, study),
        searches=[_search(found, dark) for found in searches],
        **_figures(figures, dark),
        **_causes(study, facts),
        classes=worst_classes(study),
        has_networks_of_paper=has_networks_of_paper(study),
        **statements(claims),
        machines=[_machine(study, device, facts[device], own) for device, own in sessions.items()],
        versions=versions(),
        config=_as_yaml(settings.config),
        methods=methods(study),
        levels=[f"{100 * level:g} %" for level in sorted(study["level"].dropna().unique())],
        **_labelled(study),
        **_look(environment, dark),
    )


def _machine(
    study: pd.DataFrame, device: str, facts: Mapping[str, str], sessions: Sequence[pd.DataFrame]
) -> dict[str, Any]:
    """Return a device's name and facts, how much times varied on it, and the costs of uncompressed models there."""
    return {
        "device": device,
        "summary": summary(facts),
        "facts": facts,
        "mixed": several_processors(sessions),
        "noise": noise(sessions),
        "costs": costs(study, device),
    }


def _look(environment: jinja2.Environment, dark: Mapping[str, str]) -> dict[str, Any]:
    """Return the page's styles and scripts, and the digests by which a browser accepts the scripts."""
    scripts = [_source(environment, f"vendor/{name}") for name in _LIBRARIES]
    scripts += [_source(environment, name) for name in ("rows.js", "report.js")]
    return {
        "styles": [_source(environment, name) for name in (f"vendor/{_LIBRARY_STYLE}", "report.css")],
        "dark_variables": variables(dark),
        "scripts": scripts,
        "digests": [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii") for script in scripts],
    }


def _figures(figures: Sequence[Figure], dark: Mapping[str, str]) -> dict[str, Any]:
    """Return the rows of Table I, and the figures of each section. Those that others made come last."""
    table_1 = next((figure for figure in figures if figure.name == _TABLE_1), None)
    shown: dict[str, list[dict[str, Any]]] = {section: [] for section in dict.fromkeys(FIGURES.values())}
    for figure in figures:
        if figure is not table_1:
            shown[FIGURES[figure.name]].append(_shown(figure, dark))
    return {
        "table_1": table_1,
        "model_rows": model_rows(table_1.rows) if table_1 else [],
        "figures": shown,
    }


def _shown(figure: Figure, dark: Mapping[str, str]) -> dict[str, Any]:
    """Return the parts of a figure on the page."""
    return {
        "name": figure.name,
        "number": figure.number,
        "picture": inline(figure.svg, figure.name, dark, f"{figure.number}. {figure.caption.finding}".strip()),
        "switches": figure.switches,
        "caption": figure.caption,
        "rows": len(figure.rows),
        "data": figure.data,
    }


def _search(found: Search, dark: Mapping[str, str]) -> dict[str, Any]:
    """Return the answer of a search, its figure, its judged candidates, and the place of the chosen one."""
    settings, answer, candidates = found.settings, found.answer, found.candidates
    drawn = search_figure.without_caption(candidates, answer, settings)
    text = search_figure.caption(candidates, answer, settings)
    figure = Figure(f"search_{settings.model}", as_svg(drawn), text, drawn.table)
    return {
        "model": model_name(settings.model, settings.network),
        "answer": answer["answer"],
        "figure": _shown(figure, dark),
        "requirements": search.requirements(answer),
        "judged": search.judged(answer, candidates),
        "effort": search.effort(answer),
        "page": f"search/{settings.model}/chosen/{'card' if answer['met'] else 'answer'}.md",
        "met": answer["met"],
    }


def _causes(study: pd.DataFrame, facts: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return the table of why variants are faster or slower, with its number of rows."""
    found = causes(study, {device: products(own) for device, own in facts.items()})
    names = [model_name(model, network) for model, network in zip(found["model"], found["network"], strict=True)]
    shown = found.drop(columns=["network"] if found["device"].nunique() > 1 else ["network", "device"]).assign(
        model=names, runtime=found["runtime"].map(title), arithmetic=found["arithmetic"].map(in_print)
    )
    return {"cause_rows": len(shown), "causes": embedded(shown.rename(columns={"integers": "share_in_integers"}))}


def _labelled(study: pd.DataFrame) -> dict[str, Any]:
    """Return the values of parts of a variant: of single inputs, batches, operations and classes."""
    parts = study[study["label"].notna()]
    first = ["model", "variant", "metric", "label", "value", "ratio"]
    columns = [*first, *(name for name in study.columns if name not in (*first, *_LEFT_OUT))]
    return {"labelled_rows": len(parts), "labelled": embedded(parts[columns]), "value_rows": len(study)}


def _as_yaml(config: Mapping[str, Any]) -> str:
    """Return the config as in its file but with the selection first, or an empty text for no config."""
    selection_first = dict(sorted(config.items(), key=lambda section: section[0] != "study"))
    return yaml.safe_dump(selection_first, sort_keys=False, width=100) if config else ""


def _source(environment: jinja2.Environment, name: str) -> str:
    assert environment.loader is not None
    return _MAP.sub("", environment.loader.get_source(environment, name)[0]).strip()


def _model_names(study: pd.DataFrame) -> dict[str, str]:
    networks = study.drop_duplicates("model").set_index("model")["network"]
    return {model: model_name(model, networks[model]) for model in models(study)}


def _short(commit: str) -> str:
    """Return the first digits of a commit, and whether files were changed since."""
    digits, changed, _ = commit.partition("-dirty")
    return digits[:_COMMIT] + changed


def _judged_on(study: pd.DataFrame) -> str:
    """Return the datasets that accuracy was judged on, in a sentence."""
    judged = study[study["metric"].isin(JUDGES) & study["value"].notna()]
    names = listing(judged["dataset"].dropna().unique())
    return f"Accuracy is on {names}." if names else ""


def _has(study: pd.DataFrame, metric: str) -> bool:
    """Return whether any variant has a value of a metric."""
    return bool((study["metric"].eq(metric) & study["value"].notna() & study["label"].isna()).any())
