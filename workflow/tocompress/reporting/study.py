"""The study's one tidy table. Each row is a value with its interval, its ratio to fp32 and its basis."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from tocompress.errors import StudyError
from tocompress.models.registry import KERAS, NETWORKS, find
from tocompress.schemas.study import STUDY
from tocompress.settings.jobs import StudyVariant
from tocompress.vocabulary.arithmetic import ARITHMETICS
from tocompress.vocabulary.metrics import ACCURACY, BASES, COUNTED, METRICS
from tocompress.vocabulary.runtimes import SUFFIXES
from tocompress.vocabulary.variants import BASELINE, BETWEEN, PRUNE, Variant, rank

_FULL_SIZE = 0.9  # of the published parameters
_COLUMNS: list[str] = STUDY.names
_SHARED = ("model", "network", "build", "variant", "device", "processor", "runtime", "arithmetic", "dataset")
_FACTS = ["methods", "bits", "granularity", "options", "activations"]  # of a variant
_KEY = ["model", "variant", "device", "runtime", "arithmetic", "dataset", "metric", "label"]
_DTYPES = {pa.string(): "str", pa.float64(): "float64", pa.int64(): "Int64", pa.bool_(): "boolean"}


@dataclass(frozen=True)
class Part:
    """Rows of one source, and the values that all of them share.

    `rows` holds columns of the schema `study`. Missing columns come from the other fields, or are null. A field that
    differs from row to row (`variant` and `arithmetic` of a benchmark) stays None.
    """

    model: str
    network: str
    build: str
    rows: pd.DataFrame
    variant: str | None = None
    device: str | None = None
    processor: str | None = None
    runtime: str | None = None
    arithmetic: str | None = None
    dataset: str | None = None


def artifact_rows(artifact: pd.DataFrame) -> pd.DataFrame:
    """Return a row per (variant, metric) of a table `artifact`: parameters, macs, size, size_deflated.

    The values are exact, so they have no interval. The ratio is to the row of `fp32`, or null without that row.
    """
    by_variant = artifact.set_index("variant")
    rows = []
    for metric in ("parameters", "macs", "size", "size_deflated"):
        baseline = by_variant[metric].get(BASELINE)
        for variant, value in by_variant[metric].items():
            known = not pd.isna(value)
            compared = known and not pd.isna(baseline) and baseline
            rows.append(
                {
                    "variant": variant,
                    "metric": metric,
                    "unit": METRICS[metric].unit,
                    "value": float(value) if known else None,
                    "n": 1 if known else None,
                    "ratio": float(value) / float(baseline) if compared else None,
                    "basis": "measured" if known else "unavailable",
                    "reason": None if known else f"{metric} not counted",
                }
            )
    return pd.DataFrame(rows)


def removed_rows(removed: pd.DataFrame) -> pd.DataFrame:
    """Return rows of `filters_removed` from a table `pruning`: the share of all channels, and of each of several kinds.

    The shares are exact, so they have no interval.
    """
    kinds = removed.groupby("kind", sort=False)[["channels", "removed"]].sum()
    counts = [(None, removed[["channels", "removed"]].sum()), *(kinds.iterrows() if len(kinds) > 1 else ())]
    return pd.DataFrame(
        [
            {
                "metric": "filters_removed",
                "label": label,
                "unit": METRICS["filters_removed"].unit,
                "value": count["removed"] / count["channels"],
                "n": 1,
                "basis": "measured",
            }
            for label, count in counts
        ]
    )


def aggregate(parts: Iterable[Part], variants: Iterable[StudyVariant]) -> pd.DataFrame:
    """Return the checked table `study` of all parts, in an order that does not depend on the order of the parts.

    Raise StudyError for a second value of one key, for an unknown variant, metric, network or basis, and for a wrong
    unit. Raise it also if an unavailable row has a value or no reason, or if another row has no value.
    """
    tables = [_tidy(part) for part in parts]
    table = pd.concat(tables, ignore_index=True) if tables else typed(pd.DataFrame(columns=_COLUMNS))
    table = _with_facts(table, variants)
    _check(table)
    order = sorted(range(len(table)), key=[_rank(row) for row in table.to_dict("records")].__getitem__)
    return table.iloc[order].reset_index(drop=True)


def _with_facts(table: pd.DataFrame, variants: Iterable[StudyVariant]) -> pd.DataFrame:
    """Return the table with the facts of each row's variant."""
    rows = [variant.model_dump() | {"methods": BETWEEN.join(variant.methods)} for variant in variants]
    facts = pd.DataFrame(rows, columns=["name", *_FACTS]).rename(columns={"name": "variant"})
    found = table[["variant"]].merge(facts.drop_duplicates("variant"), on="variant", how="left")
    return typed(table.assign(**found))


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the schema's type for each column. Counts and flags keep their types beside nulls."""
    return table.astype({field.name: _DTYPES[field.type] for field in STUDY})


def models(study: pd.DataFrame) -> list[str]:
    """Return the table's models, in its order."""
    return list(dict.fromkeys(study["model"]))


def variants(study: pd.DataFrame) -> list[str]:
    """Return the table's variants, fp32 first."""
    facts = study.drop_duplicates("variant")[["variant", *_FACTS]].to_dict("records")
    return [str(row["variant"]) for row in sorted(facts, key=_rank_of_variant)]


def made_by(study: pd.DataFrame, method: str) -> list[str]:
    """Return the variants that a single technique of this method made. Options of quantization come last."""
    own = study[study["methods"] == method]
    plain = own["options"].isna()
    return [*variants(own[plain]), *variants(own[~plain])]


def chains(study: pd.DataFrame) -> list[str]:
    """Return the variants that several techniques made, one after another."""
    return [variant for variant in variants(study) if Variant.parse(variant).is_chain]


def controls(study: pd.DataFrame) -> list[str]:
    """Return the pruned variants that lost nothing: `fp32`, retrained like the pruned models."""
    removed = whole(study[study["methods"] == PRUNE], "filters_removed")
    most = removed.groupby("variant")["value"].max()
    return [variant for variant in variants(removed) if most[variant] == 0]


def devices(study: pd.DataFrame) -> list[str]:
    """Return the devices with values in the table, in its order."""
    return list(dict.fromkeys(study["device"].dropna()))


def runtimes(study: pd.DataFrame) -> list[str]:
    """Return the table's runtimes. The one that the others are compared with (`across`) is the first."""
    found = study["runtime"].dropna().unique()
    compared = set(study.loc[study["across"].notna(), "runtime"])
    return sorted(map(str, found), key=lambda runtime: (runtime in compared, *_runtime_rank(runtime)))


def by_runtime(study: pd.DataFrame) -> dict[str | None, pd.DataFrame]:
    """Return the rows of each runtime, the first runtime first. A table without runtimes is one of None."""
    return {runtime: of_runtime(study, runtime) for runtime in runtimes(study)} or {None: study}


def of_first_runtime(study: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the table's first runtime (`of_runtime`)."""
    first = next(iter(runtimes(study)), None)
    return study if first is None else of_runtime(study, first)


def of_runtime(study: pd.DataFrame, runtime: str) -> pd.DataFrame:
    """Return the rows of a runtime, and of no runtime. Variants that only other runtimes execute are left out."""
    here = study["runtime"] == runtime
    known = study["value"].notna() & study["runtime"].notna()
    executed, elsewhere = (set(study.loc[known & rows, "variant"]) for rows in (here, ~here))
    return study[(here | study["runtime"].isna()) & ~study["variant"].isin(elsewhere - executed)]


def whole(study: pd.DataFrame, *metrics: str) -> pd.DataFrame:
    """Return the rows of `metrics` that stand for a whole variant, not for one input, class or kind of channel.

    They are of one runtime, the table's first.
    """
    signed = [metric.name for metric in METRICS.values() if metric.signed]
    rows = study[study["metric"].isin(metrics) & (study["label"].isna() | study["metric"].isin(signed))]
    return rows[rows["runtime"].isna() | rows["runtime"].isin(runtimes(study)[:1])]


def of_device(study: pd.DataFrame, device: str | None = None) -> pd.DataFrame:
    """Return the rows of a device, and of no device."""
    return study[study["device"].isna() | (study["device"] == device)]


def full_size(study: pd.DataFrame) -> set[str]:
    """Return the models with at least nine tenths of their network's published parameters."""
    counts = study[(study["metric"] == "parameters") & (study["variant"] == BASELINE) & study["value"].notna()]
    published = counts["network"].map(lambda network: find(network).parameters).astype(float)
    return set(counts.loc[counts["value"] >= _FULL_SIZE * published, "model"])


def of_quantized(rows: pd.DataFrame) -> pd.Series[str]:
    """Return the arithmetic of each row's quantized weights, null for float weights, sizes and accuracies."""
    return rows["arithmetic"].where(rows["arithmetic"].isin(ARITHMETICS))


def select(study: pd.DataFrame, *metrics: str, arithmetic: str) -> pd.DataFrame:
    """Return the rows of `metrics` that stand for a whole variant, on the table's first runtime and device.

    A variant that was measured in several arithmetics has this one. Rows without device (sizes, accuracies) are kept.
    """
    rows = of_device(whole(study, *metrics), *devices(study)[:1])
    found = of_quantized(rows)
    pairs = pd.MultiIndex.from_frame(rows[["model", "variant"]])
    elsewise = ~pairs.isin(pairs[found == arithmetic])
    return rows[found.isna() | (found == arithmetic) | elsewise]


def is_unsettled(flags: pd.Series[bool]) -> pd.Series[bool]:
    """Return which flags of a column `settled` or `ratio_settled` are known and false."""
    return flags.eq(False).fillna(False).astype(bool)


def as_shown(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with their difference from fp32 in `shown`, `shown_low` and `shown_high`.

    An accuracy differs by points. A score differs by its own unit. Any other metric differs by a ratio.
    """
    accuracy = rows["metric"].isin(ACCURACY)
    points = 1.0 + 99.0 * rows["unit"].eq("fraction")
    ends = ("", "_low", "_high")
    return rows.assign(
        **{f"shown{end}": (points * rows[f"change{end}"]).round(6).where(accuracy, rows[f"ratio{end}"]) for end in ends}
    )


def is_clear(rows: pd.DataFrame) -> pd.Series[bool]:
    """Return which rows differ clearly from fp32. Their paired interval excludes no change.

    A counted metric is exact. It is clear wherever it differs.
    """
    shown = as_shown(rows)
    exact = rows["metric"].isin(COUNTED)
    no_change = 1.0 - rows["metric"].isin(ACCURACY)
    low, high = (shown[f"shown_{end}"].where(~exact, shown["shown"]) for end in ("low", "high"))
    return low.gt(no_change) | high.lt(no_change)


def _tidy(part: Part) -> pd.DataFrame:
    shared = {name: getattr(part, name) for name in _SHARED}
    if unknown := sorted(set(part.rows.columns) - set(_COLUMNS)):
        raise StudyError(f"study: rows of '{part.model}' have the unknown column(s) {', '.join(unknown)}")
    if twice := [name for name, value in shared.items() if value is not None and name in part.rows.columns]:
        raise StudyError(f"study: {', '.join(twice)} of '{part.model}' given both by its part and by its rows")
    missing = {name: value for name, value in shared.items() if name not in part.rows.columns}
    return typed(part.rows.assign(**missing).reindex(columns=_COLUMNS))


def _check(table: pd.DataFrame) -> None:
    unavailable = table["basis"] == "unavailable"
    units = {metric.name: metric.unit for metric in METRICS.values()}
    problems = {
        "a second value": table.duplicated(_KEY),
        "no variant": table["variant"].isna(),
        "no variant of this study": table["methods"].isna(),
        f"no known metric ({', '.join(METRICS)})": ~table["metric"].isin(list(METRICS)),
        "not the unit of its metric": table["unit"] != table["metric"].map(units),
        f"no basis ({', '.join(BASES)})": ~table["basis"].isin(BASES),
        "unavailable, yet a value": unavailable & table["value"].notna(),
        "unavailable without a reason": unavailable & table["reason"].fillna("").eq(""),
        "neither a value nor unavailable": ~unavailable & table["value"].isna(),
    }
    for problem, wrong in problems.items():
        if wrong.any():
            row = table[wrong].iloc[0]
            where = " ".join(str(row[name]) for name in _KEY if not pd.isna(row[name]))
            raise StudyError(f"study: {problem}: {where}")
    for network in table["network"].unique():
        find(network)


def _rank(row: dict[str, Any]) -> tuple[Any, ...]:
    def text(name: str) -> str:
        return "" if pd.isna(row[name]) else str(row[name])

    return (
        [*NETWORKS, KERAS].index(row["network"]),
        row["model"],
        _rank_of_variant(row),
        text("device"),
        *_runtime_rank(text("runtime")),
        text("arithmetic"),
        text("dataset"),
        list(METRICS).index(row["metric"]),
        text("label"),
    )


def _rank_of_variant(row: dict[str, Any]) -> tuple[Any, ...]:
    return rank(row["variant"], row["methods"], None if pd.isna(row["bits"]) else row["bits"])


def _runtime_rank(runtime: str) -> tuple[int, str]:
    """Return the sort key of a runtime. No runtime, an empty text, comes first, and an unknown one last."""
    known = ["", *SUFFIXES]
    return known.index(runtime) if runtime in known else len(known), runtime
