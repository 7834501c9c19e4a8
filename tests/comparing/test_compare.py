"""Two studies are told apart where they differ, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from compare import NOISES, SLOWED, concerned, pair, share, verdicts
from made_up_session import FP32, Q8_ONCE
from made_up_studies import SETTINGS, write_study
from scipy import stats

from tocompress.comparing.costs import TO_FP32, VALUE
from tocompress.comparing.differences import Mean, chance, difference, drift, interval, mean_of
from tocompress.comparing.facts import Bearing, facts
from tocompress.comparing.page import finding, standing, write_page
from tocompress.comparing.table import compare, paired_devices
from tocompress.measurement.statistics import Interval
from tocompress.paths import Paths
from tocompress.plan.compare import Compare
from tocompress.schemas.study import COMPARED
from tocompress.settings.study import load
from tocompress.tables import write_table

HOST = (("host", "host"),)


def row(table: pd.DataFrame, metric: str, variant: str, quantity: str = VALUE) -> pd.Series:
    (found,) = (
        table.loc[place]
        for place in table.index
        if tuple(table.loc[place, ["metric", "variant", "quantity"]]) == (metric, variant, quantity)
    )
    return found


# Statistics


def test_a_difference_is_welchs() -> None:
    here, there = [1, 2, 3, 4], [2, 4, 9]
    found, expected = difference(mean_of(here), mean_of(there)), stats.ttest_ind(here, there, equal_var=False)
    assert chance(found) == pytest.approx(expected.pvalue)
    assert interval(found, 0.95) == pytest.approx((-2.5, *expected.confidence_interval(0.95)))


def test_equal_values_without_a_spread_are_certainly_equal() -> None:
    found = difference(mean_of([1, 1]), mean_of([1, 1]))
    assert chance(found) == 1
    assert interval(found, 0.95) == Interval(0, 0, 0)


def test_one_observation_gives_no_interval() -> None:
    assert interval(difference(mean_of([1]), mean_of([1, 2])), 0.95) == Interval(-0.5, None, None)


def test_drift_is_twice_the_variance_of_states_that_all_conditions_share() -> None:
    states = np.array([0.0, 0.1, 0.2])
    together = pd.DataFrame({"a": states, "b": 5 + states})
    apart = pd.DataFrame({"a": states, "b": -states})
    assert drift([together]) == Mean(0.0, pytest.approx(0.02), 2.0)
    assert drift([together, apart]) == Mean(0.0, pytest.approx(0.01), 4.0)


@pytest.mark.parametrize("name", ["a board", "a quiet machine", "a shared machine"])
def test_equal_studies_are_seldom_told_apart(name: str) -> None:
    random = np.random.default_rng(1)
    pairs = [list(verdicts(pair(random, NOISES[name], ()))) for _ in range(8)]
    told = [word for one in pairs for _, word in one]
    assert share(told, "equal", "undecided") >= 0.95


def test_a_tenth_is_found_in_times_on_a_quiet_machine_and_in_ratios_on_a_shared_one() -> None:
    random = np.random.default_rng(2)
    for name, quantity in (("a quiet machine", VALUE), ("a shared machine", TO_FP32)):
        found = list(verdicts(pair(random, NOISES[name], (SLOWED,))))
        assert share([word for key, word in found if concerned(key, (SLOWED,), quantity)], "slower") >= 0.8
        others = [word for key, word in found if not concerned(key, (SLOWED,), quantity) and key.quantity == quantity]
        assert share(others, "slower", "faster") <= 0.05


# Two studies


def test_a_study_and_its_copy_are_equal_in_all_rows(tmp_path: Path) -> None:
    study = write_study(tmp_path, "here", 1)
    table = compare(study, study, SETTINGS)
    assert set(table["verdict"]) == {"equal"}
    assert set(table["metric"]) >= {"latency", "size", "top1"}
    assert set(table.loc[table["metric"] == "latency", "ratio"]) == {1.0}


def test_every_difference_has_its_verdict(tmp_path: Path) -> None:
    here = write_study(tmp_path, "here", 1, slower={Q8_ONCE: 1.1}, right=0.6, size=900)
    there = write_study(tmp_path, "there", 2)
    table = compare(here, there, SETTINGS)
    q8, of_fp32 = row(table, "latency", "q8"), row(table, "latency", "q8", TO_FP32)
    assert q8["verdict"] == of_fp32["verdict"] == "slower"
    assert q8["ratio_low"] < 1.1 < q8["ratio_high"]
    assert of_fp32["ratio_high"] - of_fp32["ratio_low"] < q8["ratio_high"] - q8["ratio_low"]
    assert row(table, "latency", "fp32")["verdict"] == "equal"
    size, top1 = row(table, "size", "q8"), row(table, "top1", "q8")
    assert (size["verdict"], size["ratio"], size["artifact"]) == ("smaller", 0.9, "another")
    assert np.isnan(size["chance"])  # an exact row is no test, and corrects no other
    assert top1["verdict"] == "worse"
    assert top1["change"] == pytest.approx(-0.2)
    assert top1["change_low"] < -0.2 < top1["change_high"]
    write_table(tmp_path / "compared.parquet", COMPARED, table)


def test_accuracies_without_predictions_are_compared_unpaired(tmp_path: Path) -> None:
    here, there = write_study(tmp_path, "here", 1), write_study(tmp_path, "there", 2)
    alone = type(here)("here", here.study, {key: file for key, file in here.files.items() if key[0] != "predictions"})
    paired, apart = (row(compare(side, there, SETTINGS), "top1", "q8") for side in (here, alone))
    assert paired["change_high"] - paired["change_low"] < apart["change_high"] - apart["change_low"]
    assert apart["reason"].startswith("not paired")


def test_times_of_other_inputs_are_not_comparable(tmp_path: Path) -> None:
    here, there = write_study(tmp_path, "here", 1), write_study(tmp_path, "there", 2, facts={"sha256/inputs": "1" * 64})
    table = compare(here, there, SETTINGS)
    assert set(table.loc[table["metric"] == "latency", "verdict"]) == {"not comparable"}
    assert row(table, "size", "q8")["verdict"] == "equal"


def test_the_only_devices_are_paired_whatever_they_are_called(tmp_path: Path) -> None:
    here, there = write_study(tmp_path, "here", 1), write_study(tmp_path, "there", 2, device="tx2")
    assert paired_devices(here, there) == [("host", "tx2")]
    assert row(compare(here, there, SETTINGS), "latency", "fp32")["other_device"] == "tx2"


def test_the_session_of_all_power_modes_is_no_device_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for device in ("orin", "orin@15W", "host"):
        file = Path(f"results/other/benchmarks/{device}/vgg_16/latency.parquet")
        file.parent.mkdir(parents=True)
        file.touch()
    study = load(yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text()))
    found = Compare(study, Paths("results/this")).files_there(SimpleNamespace(other="other"))
    assert [file.split("/")[3] for file in found] == ["host", "orin@15W"]


def test_facts_tell_what_their_differences_matter_for(tmp_path: Path) -> None:
    here = write_study(tmp_path, "here", 1)
    other = {"device/processor_name": "another", "device/litert": "2.4.0", "load/highest": "2.0"}
    there = write_study(
        tmp_path, "there", 2, facts={**other, "settings/device/threads": "2", "begin/celsius/cpu": "51"}
    )
    found = {fact.name: fact.bearing for fact in facts(here, there, HOST) if fact.bearing}
    assert found == {
        "processor": Bearing.MACHINE,
        "threads": Bearing.SETTING,
        "LiteRT": Bearing.VERSION,
        "highest load": Bearing.STATE,
    }
    assert standing(facts(here, here, HOST)) != standing(facts(here, there, HOST))


def test_the_page_is_whole_and_shows_every_row(tmp_path: Path) -> None:
    here = write_study(tmp_path, "here", 1, slower={FP32: 1.3, Q8_ONCE: 1.3})
    there = write_study(tmp_path, "there", 2)
    table = compare(here, there, SETTINGS)
    write_page(tmp_path / "page.html", table, here, there, SETTINGS)
    html = (tmp_path / "page.html").read_text()
    assert html.count("<tr data-metric=") == len(table)
    assert finding(table, SETTINGS) in html
    assert "2 are slower, by ×1.3" in finding(table, SETTINGS)
    assert "http" not in html.replace("http-equiv", "")
