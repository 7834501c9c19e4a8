"""Rows of a study of several runtimes: each of its own samples, and a reason where a runtime refuses a variant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from made_up_session import FP32, latency

from tocompress.errors import StudyError
from tocompress.measurement.estimate import Condition
from tocompress.reporting.collect import collect
from tocompress.schemas.benchmark import LATENCY, LOADING, MEMORY, OPERATIONS, SESSION, TABLES
from tocompress.schemas.study import ARTIFACT, METRICS, STUDY
from tocompress.settings.jobs import AggregateJob, StudyDevice, StudyModel, StudyVariant
from tocompress.tables import write_table
from tocompress.tasks.metrics import unavailable
from tocompress.vocabulary.arithmetic import INTEGER, ONCE
from tocompress.vocabulary.metrics import METRICS as KNOWN
from tocompress.vocabulary.metrics import accuracies

NO_Q16, NO_I8 = "litert holds integer weights of at most 8 bits", "tensorflow computes in floats"
MODEL = StudyModel(
    name="vgg",
    network="vgg_16",
    task="classification",
    build="own",
    data="d",
    trained=True,
    benchmarked=True,
    variants=(
        StudyVariant(name="fp32"),
        StudyVariant(name="q16", methods=("quantize",), bits=16, granularity="tensor", refused={"litert": NO_Q16}),
        StudyVariant(
            name="i8",
            methods=("quantize",),
            bits=8,
            granularity="channel",
            activations="8",
            refused={"tensorflow": NO_I8},
        ),
    ),
)
SETTINGS = AggregateJob(
    models=(MODEL,),
    devices=(
        StudyDevice(name="host", processor="cpu", runtimes=("tensorflow", "litert")),
        StudyDevice(name="tx2", processor="cpu", runtimes=("tensorflow",)),
    ),
    runtimes=("tensorflow", "litert"),
    quantile=0.5,
    level=0.95,
    target=0.05,
)
Q16: Condition = ("q16", ONCE)
I8: Condition = ("i8", INTEGER)
#: Seconds of an inference by runtime and condition.
SECONDS = {"tensorflow": {FP32: 0.004, Q16: 0.008}, "litert": {FP32: 0.002, I8: 0.0005}}


def memory(runtime: str, conditions: Sequence[Condition], held: int) -> pd.DataFrame:
    """Return the table `memory`, in which each model holds so many bytes more than the control worker."""
    rows = [
        {"variant": variant, "arithmetic": arithmetic, "generation": generation, "process": generation, "phase": phase,
         "vm_hwm": 1000 + (variant != "control") * held, "rss": 1, "pss": 1, "uss": 1, "nvmap": None}
        for variant, arithmetic in [*conditions, ("control", None)]
        for generation in (1, 2)
        for phase in ("start", "loaded", "first", "last")
    ]  # fmt: skip
    return pd.DataFrame(rows).astype({"nvmap": "Int64"}).assign(runtime=runtime)


def session(runtimes: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return the tables of a session in these runtimes. LiteRT cannot profile i8."""
    times = [
        latency({condition: [[seconds]] * 2 for condition, seconds in SECONDS[name].items()}, runtime=name)
        for name in runtimes
    ]
    timed = pd.concat(times, ignore_index=True)
    profiled = [(name, *condition) for name in runtimes for condition in SECONDS[name] if condition != I8]
    operations = pd.DataFrame(profiled, columns=["runtime", "variant", "arithmetic"]).assign(
        operation="c", type="Conv2D", operation_class="convolution", integer=False, duration_s=0.1, run=1
    )
    facts = {"power/unavailable": "no power sensor"}
    if "litert" in runtimes:
        facts[f"operations/litert/i8/{INTEGER}/unavailable"] = "it has no profiler"
    return {
        "latency": timed,
        "loading": timed[timed["round"] == 0],
        "memory": pd.concat(memory(name, [*SECONDS[name]], held=100 * len(name)) for name in runtimes),
        "operations": operations,
        "session": pd.DataFrame({"key": [*facts], "value": [*facts.values()]}),
    }


@pytest.fixture
def files(tmp_path: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {name: [] for name in ("artifacts", "metrics", "pruning", *TABLES)}
    del found["diagnostics"]

    def add(name: str, schema: object, table: pd.DataFrame, **of: str) -> None:
        path = tmp_path / f"{name}{len(found[name])}.parquet"
        write_table(path, schema, table.assign(**of)[schema.names])
        found[name].append(path)

    for size, (runtime, conditions) in enumerate(SECONDS.items(), 1):
        for variant, _ in conditions:
            of = {"runtime": runtime, "model": "vgg", "variant": variant}
            numbers = dict.fromkeys(("size", "size_deflated", "parameters", "macs"), 1000 * size)
            add("artifacts", ARTIFACT, pd.DataFrame({"sha256": ["0"]} | numbers), **of)
            score = {
                "metric": "top1",
                "unit": KNOWN["top1"].unit,
                "value": 0.8 + size / 100,
                "n": 5,
                "basis": "measured",
            }
            add("metrics", METRICS, pd.DataFrame([dict.fromkeys(METRICS.names) | score]), **of)
    for device in SETTINGS.devices:
        tables, of = session(device.runtimes), {"device": device.name, "model": "vgg"}
        schemas = {"latency": LATENCY, "loading": LOADING, "memory": MEMORY, "operations": OPERATIONS}
        for name, schema in (schemas | {"session": SESSION}).items():
            add(name, schema, tables[name], **of)
    return found


@pytest.fixture
def study(files: dict[str, list[Path]]) -> pd.DataFrame:
    return collect(SETTINGS, **files)


def test_rows_fit_the_schema_and_stand_once(study: pd.DataFrame, tmp_path: Path) -> None:
    write_table(tmp_path / "study.parquet", STUDY, study)
    keys = ["device", "runtime", "variant", "arithmetic", "metric", "label"]
    assert not study.duplicated(keys).any()


def test_times_and_ratios_are_of_their_own_runtime_and_one_ratio_is_across(study: pd.DataFrame) -> None:
    times = study[study["metric"].eq("latency") & study["label"].isna() & study["basis"].eq("measured")]
    columns = ["value", "ratio", "across"]
    found = times.set_index(["device", "runtime", "variant"])[columns].round(6)
    assert found.loc[("host", "tensorflow", "fp32")].tolist()[:2] == [4.0, 1.0]
    assert found.loc[("host", "tensorflow", "q16")].tolist()[:2] == [8.0, 2.0]
    assert found.loc[("host", "litert", "fp32")].tolist() == [2.0, 1.0, 0.5]
    assert found.loc[("host", "litert", "i8")].tolist() == [0.5, 0.25, 0.125]
    assert found.xs("tensorflow", level="runtime")["across"].isna().all()
    assert set(found.index) == {
        *(("host", runtime, variant) for runtime, times in SECONDS.items() for variant, _ in times),
        ("tx2", "tensorflow", "fp32"),
        ("tx2", "tensorflow", "q16"),
    }


def test_memory_sizes_and_scores_are_of_their_own_runtime(study: pd.DataFrame) -> None:
    of_fp32 = study[study["variant"].eq("fp32") & study["device"].fillna("host").eq("host") & study["label"].isna()]
    values = of_fp32.set_index(["metric", "runtime"])["value"]
    for metric, expected in (("memory", (1000.0, 600.0)), ("size", (1000, 2000)), ("top1", (0.81, 0.82))):
        assert tuple(values[metric, runtime] for runtime in SECONDS) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("variant", "runtime", "reason", "devices"),
    [("q16", "litert", NO_Q16, {"host"}), ("i8", "tensorflow", NO_I8, {"host", "tx2"})],
)
def test_a_variant_that_a_runtime_refuses_has_a_reason_in_the_place_of_every_value(
    study: pd.DataFrame, variant: str, runtime: str, reason: str, devices: set[str]
) -> None:
    rows = study[(study["variant"] == variant) & (study["runtime"] == runtime)]
    assert set(rows["basis"]) == {"unavailable"} and set(rows["reason"]) == {reason}
    assert rows["value"].isna().all()
    costs = [metric for metric in KNOWN.values() if metric.kind == "cost" and metric.task is None]
    for device in devices:
        assert set(rows.loc[rows["device"] == device, "metric"]) == set(unavailable(costs, "")["metric"])
    assert set(rows["device"].dropna()) == devices
    scores = {metric.name for metric in accuracies("classification")}
    assert set(rows.loc[rows["device"].isna(), "metric"]) == scores | {"size", "size_deflated"}


def test_a_condition_that_cannot_be_profiled_costs_no_other_its_operations(study: pd.DataFrame) -> None:
    shares = study[study["metric"].isin(["operation_share", "integer_share"]) & study["device"].eq("host")]
    of_i8 = shares[(shares["variant"] == "i8") & (shares["runtime"] == "litert")]
    assert set(of_i8["metric"]) == {"operation_share", "integer_share"}
    assert set(of_i8["reason"]) == {"host: it has no profiler"}
    others = shares[shares["variant"] == "fp32"]
    assert set(others["runtime"]) == set(SECONDS) and set(others["basis"]) == {"measured"}


def test_the_activations_of_a_variant_are_told(study: pd.DataFrame) -> None:
    told = study.groupby("variant")["activations"].unique().map(list).to_dict()
    assert told["i8"] == ["8"] and pd.isna(told["fp32"]).all() and pd.isna(told["q16"]).all()


@pytest.mark.parametrize(("place", "named"), [(0, "tensorflow vgg fp32"), (3, "litert vgg i8")])
def test_an_artifact_that_a_runtime_can_execute_must_be_there(
    files: dict[str, list[Path]], place: int, named: str
) -> None:
    del files["artifacts"][place]
    with pytest.raises(StudyError, match=f"no artifact of {named} among the files"):
        collect(SETTINGS, **files)
