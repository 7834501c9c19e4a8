"""Each row of the study's table is of the model, variant and device whose files it comes from."""

import random

import numpy as np
import pandas as pd
import pytest

from tocompress.errors import StudyError
from tocompress.models.registry import NETWORKS
from tocompress.reporting.collect import collect
from tocompress.schemas.benchmark import LATENCY, LOADING, MEMORY, OPERATIONS, POWER, SESSION, WINDOWS
from tocompress.schemas.study import ARTIFACT, METRICS, PRUNING
from tocompress.settings.jobs import AggregateJob, StudyDevice, StudyModel, StudyVariant
from tocompress.tables import write_table
from tocompress.vocabulary.arithmetic import FLOAT, ONCE
from tocompress.vocabulary.metrics import accuracies

_FP32 = StudyVariant(name="fp32")
_Q8 = StudyVariant(name="q8", methods=("quantize",), bits=8, granularity="tensor")
_P50_Q8 = StudyVariant(
    name="p50-q8", methods=("prune", "quantize"), bits=8, granularity="tensor", pruned="p50",
)  # fmt: skip
# Not in alphabetical order, on purpose.
_VGG = StudyModel(
    name="vgg", network="vgg_16", task="classification", build="own", data="d", trained=True, benchmarked=True,
    variants=(_FP32, _Q8, _P50_Q8),
)  # fmt: skip
BENCHMARK = ("latency", "loading", "memory", "power", "windows", "operations", "session")
_FURTHER = {"variants": (_FP32,)}
MODELS = (
    _VGG,
    StudyModel(
        name="gnmt",
        network="gnmt",
        task="translation",
        build="zoo",
        data="e",
        trained=True,
        benchmarked=False,
        **_FURTHER,
    ),
    StudyModel(
        name="alone",
        network="vgg_19",
        task="classification",
        build="initial",
        data="d",
        trained=False,
        benchmarked=True,
        **_FURTHER,
    ),
)
BENCHMARKED = tuple(model for model in MODELS if model.benchmarked)
NAMES = ("tx2", "host", "orin@15W", "orin@MAXN")
DEVICES = tuple(StudyDevice(name=name, processor="cpu", runtimes=("tensorflow",)) for name in NAMES)


SETTINGS = AggregateJob(models=MODELS, devices=DEVICES, runtimes=("tensorflow",), quantile=0.5, level=0.95, target=0.05)


@pytest.fixture
def files(tmp_path):
    files = {table: [] for table in ("artifacts", "metrics", "pruning", *BENCHMARK)}

    def add(table, schema, rows, **of):
        path = tmp_path / f"{table}{len(files[table])}.parquet"
        write_table(path, schema, rows.assign(**of))
        files[table].append(path)

    for size, (model, variant) in enumerate((one, variant) for one in MODELS for variant in one.variants):
        of = {"runtime": "tensorflow", "model": model.name, "variant": variant.name}
        numbers = {name: [1000 + size] for name in ("size", "size_deflated", "parameters", "macs")}
        add("artifacts", ARTIFACT, pd.DataFrame({"sha256": ["0"], **numbers}), **of)
        if model.trained:
            add("metrics", METRICS, _score(accuracies(NETWORKS[model.network].task)[0], size), **of)
    add("pruning", PRUNING, _removed({"a": (6, 2), "b": (2, 2)}), model="vgg", variant="p50")
    for number, (device, model) in enumerate((device, model) for device in DEVICES for model in BENCHMARKED):
        session = {"device": device.name, "model": model.name}
        of, variants = session | {"runtime": "tensorflow"}, [variant.name for variant in model.variants]
        add("latency", LATENCY, _latency(variants, 0.001 * (1 + number)), **of)
        add("loading", LOADING, _loading(variants), **of)
        add("memory", MEMORY, _memory(variants), **of)
        add("operations", OPERATIONS, _operations(variants), **of)
        sensor = device.name == "tx2"
        add("power", POWER, _power(variants) if sensor else POWER.empty_table().to_pandas(), **of)
        add("windows", WINDOWS, _windows(variants) if sensor else WINDOWS.empty_table().to_pandas(), **of)
        told = {"kernel": "6"} if sensor else {"power/unavailable": "no power sensor"}
        if (device.name, model.name) == ("host", "vgg"):
            told |= {"memory/unavailable": "killed", "operations/unavailable": "no trace"}
        add("session", SESSION, pd.DataFrame({"key": told.keys(), "value": told.values()}), **session)
    return files


def test_a_file_that_is_lacking_is_named(files):
    for table, named in (("artifacts", "vgg fp32"), ("pruning", "vgg p50"), ("latency", "vgg on tx2")):
        with pytest.raises(StudyError, match=named):
            collect(SETTINGS, **files | {table: files[table][1:]})


def test_rows_are_of_the_files_they_come_from_in_whatever_order(files):
    study = collect(SETTINGS, **{table: random.Random(1).sample(some, len(some)) for table, some in files.items()})
    assert dict(zip(*_of(study, "size", ["model", "variant"]), strict=True)) == {
        ("vgg", "fp32"): 1000, ("vgg", "q8"): 1001, ("vgg", "p50-q8"): 1002, ("gnmt", "fp32"): 1003,
        ("alone", "fp32"): 1004,
    }  # fmt: skip
    assert set(study.loc[study["metric"] == "bleu", "model"]) == {"gnmt"}
    assert set(study.loc[(study["metric"] == "top1") & (study["basis"] == "measured"), "model"]) == {"vgg"}
    latency = study[(study["metric"] == "latency") & study["label"].isna() & (study["variant"] == "fp32")]
    latency = latency[latency["basis"] == "measured"]
    found = latency.set_index(["device", "model"])["value"].round(6).to_dict()
    assert found == {
        (device.name, model.name): 1 + 2 * i + j
        for i, device in enumerate(DEVICES)
        for j, model in enumerate(BENCHMARKED)
    }
    energy = study[study["metric"].eq("energy") & study["model"].eq("vgg") & study["variant"].eq("q8")]
    by_device = energy.set_index("device")[["value", "reason"]]
    assert by_device.loc["tx2", "value"] == pytest.approx(
        2.0 * 10 / 5, rel=1e-3
    )  # 2 W above idle for 10 s, 5 inferences
    assert by_device.loc["host", "reason"] == "host: no power sensor"
    failed = study[study["model"].eq("vgg") & study["device"].eq("host")].set_index("metric")
    assert set(failed.loc["memory", "reason"]) == {"host: killed"}
    assert set(failed.loc["operation_share", "reason"]) == {"host: no trace"}
    assert failed.loc["memory", "value"].isna().all() and len(failed.loc["memory"]) == len(_VGG.variants)
    facts = study[study["variant"] == "p50-q8"]
    assert facts[["methods", "bits", "granularity"]].drop_duplicates().values.tolist() == [
        ["prune-quantize", 8, "tensor"]
    ]
    assert dict(zip(*_of(study, "filters_removed", ["model", "variant"]), strict=True)) == {("vgg", "p50-q8"): 0.5}
    unavailable = study[study["model"].eq("alone") & study["metric"].eq("top1")]
    assert unavailable["reason"].tolist() == ["no trained weights"]
    unmeasured = study[study["model"].eq("gnmt") & study["metric"].isin(["latency", "load", "energy"])]
    assert unmeasured["reason"].tolist() == 3 * ["not benchmarked in this study"]


def _of(study, metric, keys):
    rows = study[study["metric"] == metric]
    return [tuple(key) for key in rows[keys].to_numpy()], rows["value"]


def _removed(groups):
    rows = [(name, "filters", *counts) for name, counts in groups.items()]
    return pd.DataFrame(rows, columns=["group", "kind", "channels", "removed"])


def _score(metric, value):
    row = {"metric": metric.name, "unit": metric.unit, "value": float(value), "n": 5, "basis": "measured"}
    return pd.DataFrame([dict.fromkeys(METRICS.names) | row])


def _mode(variant):
    return ONCE if "q8" in variant else FLOAT


def _latency(variants, duration):
    rows = [
        {"variant": v, "arithmetic": _mode(v), "batch": 1, "input_id": "i0", "generation": p, "process": p, "round": 1,
         "order": 0, "start_s": 0.0, "duration_s": duration, "processor_s": duration, "tokens": None, "warmup": False}
        for v in variants
        for p in (1, 2)
    ]  # fmt: skip
    return pd.DataFrame(rows).astype({"tokens": "Int64"})


def _loading(variants):
    return pd.DataFrame(
        [
            {"variant": v, "arithmetic": _mode(v), "generation": p, "process": p, "duration_s": 0.5, "processor_s": 0.5}
            for v in variants
            for p in (1, 2)
        ]
    )


def _memory(variants):
    return pd.DataFrame(
        [
            {"variant": v, "arithmetic": None if v == "control" else _mode(v), "generation": p, "process": p,
             "phase": phase, "vm_hwm": 10, "rss": 10, "pss": 10, "uss": 10, "nvmap": None}
            for v in ("control", *variants)
            for p in (1, 2)
            for phase in ("start", "loaded", "first", "last")
        ]
    ).astype({"nvmap": "Int64"})  # fmt: skip


_PHASES = {"idle_before": (0.0, 2.0), "block": (2.0, 12.0), "idle_after": (13.0, 15.0)}


def _windows(variants):
    rows = [
        {"variant": v, "arithmetic": _mode(v), "process": p, "phase": phase, "start_s": start, "end_s": end,
         "runs": 5 if phase == "block" else None}
        for v in variants
        for p in (1, 2)
        for phase, (start, end) in _PHASES.items()
    ]  # fmt: skip
    return pd.DataFrame(rows).astype({"runs": "Int64"})


def _power(variants):
    """3 W, and 5 W while inferring."""
    seconds = np.arange(0, 15, 0.001)
    watts = np.where((seconds >= 2) & (seconds < 12), 5.0, 3.0)
    parts = [
        pd.DataFrame({"time_s": seconds, "watt": watts}).assign(variant=v, arithmetic=_mode(v), process=p)
        for v in variants
        for p in (1, 2)
    ]
    return pd.concat(parts).assign(rail="0-0041/VDD_IN")


def _operations(variants):
    return pd.DataFrame(
        [
            {"variant": v, "arithmetic": _mode(v), "operation": "c", "type": "Conv2D",
             "operation_class": "convolution", "integer": False, "duration_s": 0.1, "run": run}
            for v in variants
            for run in (1, 2)
        ]
    )  # fmt: skip
