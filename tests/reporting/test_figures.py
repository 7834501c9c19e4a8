"""Every figure draws from every study, shows the study's values, and is the same each time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from made_up import NO_SENSOR, make_unavailable
from matplotlib.text import Text

from tocompress.errors import StudyError
from tocompress.reporting import figures, style
from tocompress.reporting.figures import FIGURES, fig28_dequantization, panels
from tocompress.schemas.study import STUDY
from tocompress.settings.reporting import Plot
from tocompress.tables import write_table

PLOT = Plot(dpi=60)


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def saved(drawing, folder):
    paths = [folder / f"figure.{kind}" for kind in ("png", "pdf", "csv")]
    figures.save(drawing, *paths, PLOT)
    return paths


@pytest.mark.parametrize("name", [name for name in FIGURES if name != "table1_models"])
def test_the_table_behind_a_figure_holds_rows_of_the_study(name, study, tmp_path):
    drawing = figures.draw(name, study, PLOT)
    *_, csv = saved(drawing, tmp_path)
    read = pd.read_csv(csv)
    assert len(read) > 0
    columns = ["model", "variant", "device", "dequantization", "dataset", "metric", "label"]
    numbers = ["value", "low", "high", "ratio", "ratio_low", "ratio_high"]
    filled = {column: "" for column in columns}
    both = read.fillna(filled).merge(
        study.fillna(filled), on=columns, how="left", validate="m:1", suffixes=("", "_study")
    )
    for number in numbers:
        pd.testing.assert_series_equal(both[number], both[f"{number}_study"], check_names=False, check_exact=True)


def test_table_1_holds_the_papers_numbers_and_the_studys(study, tmp_path):
    *_, csv = saved(figures.draw("table1_models", study, PLOT), tmp_path)
    row = pd.read_csv(csv).set_index("model").loc["resnet_v1_50"]
    measured = study[(study["model"] == "resnet_v1_50") & (study["variant"] == "fp32")].set_index("metric")
    assert (row["top5_paper"], row["parameters_paper"], row["parameters_published"]) == (90.2, 25_500_000, 25_610_152)
    for metric in ("top1", "top5", "parameters", "macs", "size"):
        assert row[metric] == measured.loc[metric, "value"]


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("case", ["small_study", "large_study", "nothing"])
def test_every_figure_draws_from_any_selection(name, case, study, request, tmp_path):
    table = make_unavailable(study) if case == "nothing" else request.getfixturevalue(case)
    drawing = figures.draw(name, table, PLOT)
    assert all(path.stat().st_size for path in saved(drawing, tmp_path))
    width, height = drawing.figure.get_size_inches()
    assert width in (style.SINGLE, style.DOUBLE)
    assert height < 9.5
    if case == "nothing":
        assert "the device did not answer" in drawing.caption


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_is_cut_off_or_too_small_to_read(name, large_study):
    drawing = figures.draw(name, large_study, PLOT)
    figure = drawing.figure
    with style.applied():
        figure.canvas.draw()
    page = figure.bbox.padded(1)
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible() and text.get_window_extent().width:
            box = text.get_window_extent()
            assert text.get_fontsize() >= 7
            assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, text.get_text()


SCRIPT = """
import sys
from pathlib import Path
from tocompress.reporting import figures
from tocompress.schemas.study import STUDY
from tocompress.settings.reporting import Plot
from tocompress.tables import read_table
study = read_table(sys.argv[1], STUDY)
for name in figures.FIGURES:
    paths = [Path(sys.argv[2]) / f"{name}.{kind}" for kind in ("png", "pdf", "csv")]
    figures.save(figures.draw(name, study, Plot(dpi=60)), *paths, Plot(dpi=60))
"""


def test_the_same_study_gives_the_same_bytes(study, tmp_path):
    write_table(tmp_path / "study.parquet", STUDY, study)
    for seed in ("1", "2"):
        environment = {
            "PYTHONPATH": str(Path(__file__).parents[2] / "workflow"),
            "PYTHONHASHSEED": seed,
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / "study.parquet"), str(tmp_path / seed)]
        subprocess.run(command, check=True, env=environment)
    first = sorted((tmp_path / "1").iterdir())
    assert len(first) == 3 * len(FIGURES)
    for path in first:
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes(), path.name


def test_an_empty_panel_and_the_caption_say_why(study):
    drawing = figures.draw("fig13_quantization", study, PLOT)
    shown = " ".join(" ".join(texts(drawing.figure)).split())
    assert shown.count(f"not measured: {NO_SENSOR}") == 2
    assert f"peak power and energy ({NO_SENSOR})" in drawing.caption


def test_captions_state_device_mode_intervals_and_observations(study):
    for name in ("fig13_quantization", "fig27_memory", "fig32_quantization_sizes"):
        caption = figures.draw(name, study, Plot(dequantization="once")).caption
        for part in ("Device: host (cpu, tensorflow)", "dequantized once", "95 % intervals", "n = "):
            assert part in caption


def test_hollow_dots_are_the_intervals_that_did_not_converge(study):
    colours = {"q6": "#d55e00"}
    rows = panels.arrange(style.shown_models(study), 0.3)
    for converged, face in ((True, "#d55e00"), (False, "white")):
        latency = study[(study["metric"] == "latency") & (study["variant"] == "q6") & study["label"].isna()].head(1)
        with style.applied():
            axes = panels.panel(style.figure(3, 3), rows, 1, 0.5, 1.5, "time", names=True)
            panels.ratio_dots(axes, rows, latency.assign(converged=converged), colours, {"latency": "o"})
        dots = [line for line in axes.lines if line.get_marker() == "o"]
        assert [dot.get_markerfacecolor() for dot in dots] == [face]
        assert dots[0].get_xdata()[0] == latency["ratio"].iloc[0]


def test_both_modes_of_dequantization_are_shown(study):
    drawing = figures.draw("fig28_dequantization", study, PLOT)
    assert set(drawing.table["dequantization"]) == {"every_inference", "once"}
    assert set(style.DEQUANTIZATION_NAMES.values()) <= set(texts(drawing.figure))
    assert "lower bound" in fig28_dequantization.caption(study, PLOT)


def test_a_technique_keeps_its_colour_and_unknown_ones_get_their_own(study):
    more = pd.concat([study, study[study["variant"] == "q8"].assign(variant="nf4")])
    assert style.colours(more) == style.colours(study) | {"nf4": style.colours(more)["nf4"]}
    assert len(set(style.colours(more).values())) == len(style.colours(more))


def test_models_with_initial_weights_stand_apart(study, small_study):
    groups = [model.group for model in style.shown_models(study)]
    assert groups == ["zoo, reduced"] * 4 + ["full size, initial weights"] * 3
    smaller = study.assign(value=study["value"].where(study["metric"] != "parameters", 1000))
    assert style.shown_models(smaller)[-1].group == "initial weights"


def test_quantities_have_three_digits_and_a_prefix():
    shown = [
        style.quantity(*of) for of in ((16_912_000, "byte"), (4_254_889, "1"), (0.826, "ms"), (0.7812, "fraction"))
    ]
    assert shown == ["16.9 MB", "4.25 M", "826 µs", "78.1 %"]
    assert (style.digits(999.6), style.digits(0.01234), style.digits(0)) == ("1,000", "0.0123", "0")


def test_an_unknown_figure_is_named(study):
    with pytest.raises(StudyError, match="fig99"):
        figures.draw("fig99", study, PLOT)
