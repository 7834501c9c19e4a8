"""Every figure draws from every study, shows the study's values, and is the same each time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from made_up import CUTS, NO_SENSOR, SPARSE, TOO_SHORT, make_study, make_unavailable
from matplotlib.text import Text
from pypdf import PdfReader

from tocompress.errors import StudyError
from tocompress.reporting import figures, style
from tocompress.reporting.figures import FIGURES, fig28_dequantization, panels, regimes
from tocompress.reporting.thresholds import largest_cuts
from tocompress.schemas.study import STUDY
from tocompress.settings.claims import load
from tocompress.settings.reporting import Plot
from tocompress.tables import write_table
from tocompress.vocabulary.arithmetic import EVERY_INFERENCE, INTEGER, ONCE, in_print

PLOT = Plot(dpi=60)
REPOSITORY = Path(__file__).parents[2]


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def save_all(study, folder):
    """Every figure of `study`, drawn and saved under `folder`."""
    for name in FIGURES:
        paths = [folder / f"{name}.{kind}" for kind in ("png", "pdf", "csv")]
        figures.save(figures.draw(name, study, PLOT), *paths, PLOT)


@pytest.fixture(scope="module")
def saved(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    save_all(study, folder)
    return folder


@pytest.mark.parametrize("name", [name for name in FIGURES if name != "table1_models"])
def test_the_table_behind_a_figure_holds_rows_of_the_study(name, study, saved):
    read = pd.read_csv(saved / f"{name}.csv")
    assert len(read) > 0
    columns = ["model", "variant", "device", "runtime", "arithmetic", "dataset", "metric", "label"]
    filled = {column: "" for column in columns}
    both = read.fillna(filled).merge(study.fillna(filled), on=columns, how="left", validate="m:1")
    for number in ("value", "low", "high", "ratio", "ratio_low", "ratio_high"):
        shown, of_study = both[f"{number}_x"], both[f"{number}_y"]
        pd.testing.assert_series_equal(shown, of_study, check_names=False, check_exact=True)


def test_table_1_holds_the_papers_numbers_and_the_studys(study, saved):
    row = pd.read_csv(saved / "table1_models.csv").set_index("model").loc["resnet_v1_50"]
    measured = study[(study["model"] == "resnet_v1_50") & (study["variant"] == "fp32")].set_index("metric")
    assert (row["top5_paper"], row["parameters_paper"], row["parameters_published"]) == (90.2, 25_500_000, 25_610_152)
    for metric in ("top1", "top5", "parameters", "macs", "size"):
        assert row[metric] == measured.loc[metric, "value"]


def test_the_same_study_gives_the_same_bytes_in_another_process(study, saved, tmp_path):
    write_table(tmp_path / "study.parquet", STUDY, study)
    script = (
        "import sys, pathlib, test_figures, tocompress.tables as tables;"
        "study = tables.read_table(sys.argv[1], test_figures.STUDY);"
        "test_figures.save_all(study, pathlib.Path(sys.argv[2]))"
    )
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parents[1] / "workflow")])
    command = [sys.executable, "-c", script, str(tmp_path / "study.parquet"), str(tmp_path / "again")]
    subprocess.run(command, check=True, env={"PYTHONPATH": path, "PYTHONHASHSEED": "7"})
    files = sorted(saved.iterdir())
    assert len(files) == 3 * len(FIGURES)
    for file in files:
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes(), file.name


@pytest.mark.parametrize("name", FIGURES)
def test_the_letters_of_a_pdf_are_embedded_truetype(name, saved):
    fonts = PdfReader(saved / f"{name}.pdf").pages[0]["/Resources"]["/Font"]
    assert len(fonts) > 0
    for font in fonts.values():
        outlines = font["/DescendantFonts"][0].get_object()
        assert outlines["/Subtype"] == "/CIDFontType2"
        assert "/FontFile2" in outlines["/FontDescriptor"]


def printed(figure):
    """The texts that can be seen: ticks outside an axis are not."""
    hidden = set()
    for axes in figure.axes:
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            for tick in axis.get_major_ticks():
                if not (tick.label1.get_visible() and min(limits) <= tick.get_loc() <= max(limits)):
                    hidden.add(tick.label1)
    return [text for text in figure.findobj(Text) if text.get_text() and text not in hidden]


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("case", ["small_study", "large_study", "nothing"])
def test_every_figure_draws_from_any_selection_legibly_and_within_its_page(name, case, study, request):
    table = make_unavailable(study) if case == "nothing" else request.getfixturevalue(case)
    drawing = figures.draw(name, table, PLOT)
    width, height = drawing.figure.get_size_inches()
    assert width in (style.SINGLE, style.DOUBLE)
    assert height < 9.5
    with style.applied():
        drawing.figure.canvas.draw()
    page = drawing.figure.bbox.padded(1)
    for text in printed(drawing.figure):
        box = text.get_window_extent()
        assert text.get_fontsize() >= 7
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, text.get_text()
    if case == "nothing":
        assert "the device did not answer" in figures.caption(name, table, PLOT)


def test_an_empty_panel_and_the_caption_say_why(study):
    drawing = figures.draw("fig20_pruning", study, PLOT)
    shown = " ".join(" ".join(texts(drawing.figure)).split())
    assert shown.count(f"not measured: {NO_SENSOR}") == 2
    assert f"peak power and energy ({NO_SENSOR})" in figures.caption("fig20_pruning", study, PLOT)


def test_a_line_of_figure_13_without_values_is_left_out_and_the_caption_says_why(study, large_study):
    for table, titles in ((study, 5), (large_study, 9)):
        drawing = figures.draw("fig13_quantization", table, PLOT)
        assert len(drawing.figure.axes) == titles
    assert f"peak power and energy ({NO_SENSOR})" in figures.caption("fig13_quantization", study, PLOT)


def test_figure_13_shows_each_arithmetic_against_fp32_of_its_own_runtime(both):
    rows = figures.draw("fig13_quantization", both, PLOT).table
    latency = rows[rows["metric"].eq("latency") & rows["value"].notna()]
    shown = latency[latency["variant"] != "fp32"].groupby("panel")[["arithmetic", "runtime"]].agg(set)
    assert list(shown.itertuples(index=False, name=None)) == [
        ({EVERY_INFERENCE}, {"tensorflow"}), ({ONCE}, {"tensorflow"}), ({INTEGER}, {"litert"}),
    ]  # fmt: skip
    baselines = latency[latency["variant"] == "fp32"].groupby("panel")["runtime"].agg(set)
    assert (baselines == shown["runtime"]).all()
    sizes = rows[rows["metric"].eq("size") & rows["value"].notna()].drop_duplicates("variant").set_index("variant")
    assert (sizes.loc["q8", "runtime"], sizes.loc["i8", "runtime"]) == ("tensorflow", "litert")
    caption = figures.caption("fig13_quantization", both, PLOT)
    assert "dequantized once (TensorFlow) and in integers (LiteRT)" in caption and "in the same runtime" in caption


def test_times_of_all_arithmetics_have_the_same_axis(both):
    times = figures.draw("fig13_quantization", both, PLOT).figure.axes[:3]
    assert len({axes.get_xlim() for axes in times}) == 1
    assert [axes.get_xlabel() for axes in times[1:]] == ["relative to fp32 in TensorFlow", "relative to fp32 in LiteRT"]


PAPERS = [name for name in FIGURES if name.startswith("fig") and name not in ("fig06_operations", "fig13_quantization")]


@pytest.mark.parametrize("name", [name for name in PAPERS if name != "fig28_dequantization"])
def test_other_figures_of_the_paper_are_the_same_with_a_second_runtime(name, study, both):
    alone, beside = (figures.draw(name, table, PLOT).table for table in (study, both))
    pd.testing.assert_frame_equal(alone.reset_index(drop=True), beside.reset_index(drop=True))
    assert "TensorFlow" in figures.caption(name, both, PLOT)
    assert style.colours(both).items() >= style.colours(study).items()


def test_captions_state_device_mode_intervals_and_observations(study):
    for name in ("fig13_quantization", "fig24_thresholds", "fig27_memory", "fig36_pruning_sizes", "fig41_combination"):
        caption = figures.caption(name, study, Plot(arithmetic=ONCE))
        for part in ("Device: host (cpu, TensorFlow)", "95 % intervals", "n = "):
            assert part in caption
        assert ("dequantized once" in caption) == (name not in ("fig24_thresholds", "fig36_pruning_sizes"))


PRUNING = ("fig05_motivation", "fig20_pruning", "fig24_thresholds", "fig36_pruning_sizes", "fig41_combination")


@pytest.mark.parametrize("name", PRUNING)
def test_a_study_without_pruning_says_so(name, small_study):
    drawing = figures.draw(name, small_study, PLOT)
    for axes in drawing.figure.axes:
        assert " ".join(text.get_text() for text in axes.texts) == "not part of this study"
    assert "not part of this study" in figures.caption(name, small_study, PLOT)


@pytest.mark.parametrize(
    ("name", "models", "variants"),
    [
        ("fig05_motivation", {"vgg_16", "resnet_v1_50", "resnet_v1_50_full"}, {"q8", "p05"}),
        ("fig20_pruning", {"vgg_16", "resnet_v1_50", "resnet_v1_50_full", "gnmt"}, set(CUTS)),
        ("fig24_thresholds", {"vgg_16", "resnet_v1_50", "resnet_v1_50_full", "gnmt"}, set(CUTS)),
        ("fig36_pruning_sizes", {"vgg_16", "resnet_v1_50", "resnet_v1_50_full", "gnmt"}, set(CUTS) - {"p50_random"}),
        ("fig41_combination", {"vgg_16", "resnet_v1_50", "gnmt"}, {"q8", "p05", "q8-p05", "p05-q8"}),
    ],
)
def test_pruning_is_shown_for_the_models_it_was_applied_to(name, models, variants, study):
    shown = figures.draw(name, study, PLOT).table
    assert set(shown["model"]) == models
    assert set(shown["variant"]) == variants | {"fp32"}


@pytest.fixture(scope="module")
def sparse_study():
    return make_study(("vgg_16", "resnet_v1_50"), ("fp32", "q8", "p05", "q8-p05", *SPARSE))


@pytest.mark.parametrize("name", FIGURES)
def test_another_technique_is_drawn_neither_as_bits_nor_as_a_cut(name, sparse_study):
    drawing = figures.draw(name, sparse_study, PLOT)
    shown = {variant for variant in drawing.table.get("variant", ()) if variant in SPARSE}
    assert shown == (set(SPARSE) if name in ("fig27_memory", "pareto") else set())


def test_another_technique_has_a_marker_of_its_own(sparse_study):
    caption = figures.caption("pareto", sparse_study, PLOT)
    assert "diamonds several techniques, pluses another technique" in caption
    with_cuts = sparse_study[~sparse_study["variant"].isin(SPARSE)]
    assert "triangles pruned ones, diamonds both." in figures.caption("pareto", with_cuts, PLOT)


def test_every_metric_is_shown_over_both_shares_removed(study):
    drawing = figures.draw("fig24_thresholds", study, PLOT)
    titles = [axes.get_title("left").partition(" ")[2] for axes in drawing.figure.axes]
    quality = ["accuracy", "top-5", "precision", "recall", "F1"]
    cost = ["inference time", "file size", "runtime memory", "peak power", "energy"]
    assert titles == 2 * (quality + cost)


def test_a_line_of_panels_without_values_takes_little_room(study):
    few = study[~study["metric"].isin(["power_peak", "energy", "precision", "f1", "recall"])]
    shown = figures.draw("fig20_pruning", few, PLOT).figure
    heights = [axes.get_position().height * shown.get_size_inches()[1] for axes in shown.axes]
    assert max(heights[3:]) < 0.7 < min(heights[:3])


def test_missing_metrics_share_a_phrase_where_the_models_are_the_same(study):
    caption = figures.caption("fig13_quantization", study, PLOT)
    models = "Inception v1 full, ResNet 50 full and MobileNet full"
    assert f"top-1, top-5, precision, recall and F1 of {models} (no trained weights)" in caption


def test_the_largest_cut_within_the_budget_is_ringed_and_listed(study):
    drawing = figures.draw("fig24_thresholds", study, PLOT)
    accuracy, *_ = drawing.figure.axes
    cuts = largest_cuts(study)
    assert set(cuts) == {"vgg_16", "resnet_v1_50", "gnmt"}
    rings = [line for line in accuracy.lines if line.get_markerfacecolor() == "none"]
    chosen = [variant for cut in cuts.values() for variant in (cut.by_value, cut.by_bound) if variant]
    assert sorted(ring.get_xdata()[0] for ring in rings) == sorted(100 * CUTS[variant] for variant in chosen)
    listed = [text for text in texts(drawing.figure) if "of filters and" in text]
    assert len(listed) == len(chosen)
    assert all(text.startswith(tuple(CUTS)) for text in listed)


def test_hollow_dots_are_the_ratios_that_are_not_settled(study):
    colours = {"q6": "#d55e00"}
    rows = panels.arrange(style.shown_models(study), 0.3)
    for settled, face in ((True, "#d55e00"), (False, "white")):
        latency = study[(study["metric"] == "latency") & (study["variant"] == "q6") & study["label"].isna()].head(1)
        with style.applied():
            axes = panels.panel(style.figure(3, 3), rows, 1, 0.5, 1.5, "time", names=True)
            panels.ratio_dots(
                axes, rows, latency.assign(settled=not settled, ratio_settled=settled), colours, {"latency": "o"}
            )
        dots = [line for line in axes.lines if line.get_marker() == "o"]
        assert [dot.get_markerfacecolor() for dot in dots] == [face]
        assert dots[0].get_xdata()[0] == latency["ratio"].iloc[0]


@pytest.mark.parametrize(
    "name", ["fig13_quantization", "fig32_quantization_sizes", "fig41_combination", "pareto", "zoo_sensitivity"]
)
def test_a_figure_of_few_bits_says_that_the_zoo_is_kinder_than_real_networks(name, study):
    chains = study.assign(variant=study["variant"].replace("q8-p05", "q6-p05"))
    plot = Plot()
    assert "docs/zoo.md" in figures.caption(name, chains, plot)
    assert "docs/zoo.md" not in figures.caption(name, study[~study["variant"].isin(["q6", "q6-p05"])], plot)
    assert "docs/zoo.md" not in figures.caption(name, chains.assign(build="published"), plot)


@pytest.mark.parametrize("build", ["published", "own"])
def test_real_weights_with_as_few_bits_stand_beside_the_zoos(build, study):
    real = study["model"].eq("mobilenet_v1")
    told = figures.caption("fig13_quantization", study.assign(build=study["build"].mask(real, build)), Plot())
    top1 = study[real & study["metric"].eq("top1")].set_index("variant")
    value, low, high = (f"{100 * number:.1f} %" for number in top1.loc["q6", ["value", "low", "high"]])
    expected = f"MobileNet q6 top-1 {value} ({low} to {high}, n = 2,000; fp32 {100 * top1.loc['fp32', 'value']:.1f} %)"
    assert told.count(expected) == 1
    assert "real weights" not in figures.caption("fig13_quantization", study, Plot())


def with_options(study, variant, options, **facts):
    """The study in which a variant has these options."""
    rows = study["variant"].eq(variant)
    return study.assign(options=study["options"].mask(rows, options), **{
        name: study[name].mask(rows, value) for name, value in facts.items()
    })  # fmt: skip


def test_figure_13_tells_the_options_of_variants(study):
    told = figures.caption("fig13_quantization", with_options(study, "q6", "range mse, rounding learned"), PLOT)
    assert "Quantized with options: q6 (range mse, rounding learned)." in told
    assert "options" not in figures.caption("fig13_quantization", study, PLOT)


def test_mixed_bits_count_as_few(study):
    mixed = with_options(study, "q6", "mixed bits", bits=pd.NA)
    assert "docs/zoo.md" in figures.caption("fig13_quantization", mixed, PLOT)
    assert "q6" in set(figures.draw("fig13_quantization", mixed, PLOT).table["variant"])


def test_figures_of_the_papers_bits_take_its_quantizer_where_there_is_a_choice(study):
    other = with_options(study, "q6", "range mse", bits=8)
    # It comes first by its name.
    renamed = other.assign(variant=other["variant"].replace({"q6": "best8"})).sort_values("variant", kind="stable")
    for name in ("fig05_motivation", "regimes"):
        rows = figures.draw(name, renamed, PLOT).table
        assert "q8" in set(rows["variant"]) and "best8" not in set(rows["variant"])
    alone = renamed[renamed["variant"].ne("q8")]
    assert "best8" in set(figures.draw("fig05_motivation", alone, PLOT).table["variant"])
    key = texts(figures.draw("zoo_sensitivity", renamed, PLOT).figure)
    assert {"per tensor", "per tensor, range mse"} <= set(key)


def test_both_modes_of_dequantization_are_shown(study):
    drawing = figures.draw("fig28_dequantization", study, PLOT)
    assert set(drawing.table["arithmetic"]) == {EVERY_INFERENCE, ONCE}
    assert {in_print(EVERY_INFERENCE), in_print(ONCE)} <= set(texts(drawing.figure))
    assert "lower bound" in fig28_dequantization.caption(study, PLOT)


def test_operations_are_shown_of_each_runtime(both):
    for name in ("fig06_operations", "fig28_dequantization"):
        drawing = figures.draw(name, both, PLOT)
        assert set(drawing.table["runtime"]) == {"tensorflow", "litert"}
        assert f"({TOO_SHORT})" in figures.caption(name, both, PLOT)
    titles = {axes.get_title("left") for axes in drawing.figure.axes}
    assert titles == {
        f"{runtime}: {in_print(mode)}"
        for runtime, modes in (("TensorFlow", (EVERY_INFERENCE, ONCE)), ("LiteRT", (ONCE, INTEGER)))
        for mode in modes
    }


def test_regimes_are_those_of_8_bits_and_the_paper(both):
    drawing = figures.draw("regimes", both, PLOT)
    known = drawing.table[drawing.table["ratio"].notna()]
    of_gnmt = known[known["model"] == "gnmt"].set_index(["runtime", "arithmetic"])["variant"]
    assert of_gnmt.to_dict() == {
        ("tensorflow", EVERY_INFERENCE): "q8", ("tensorflow", ONCE): "q8", ("litert", ONCE): "q8",
        ("litert", INTEGER): "dyn8",
    }  # fmt: skip
    others = known[known["model"].ne("gnmt") & known["arithmetic"].eq(INTEGER)]
    assert set(others["variant"]) == {"i8"} and len(others) == known["model"].nunique() - 1
    (axes,) = drawing.figure.axes
    diamonds = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "D"]
    assert sorted(diamonds) == [1.2, 1.2, 1.41, 1.41, 1.41, 2.0]
    assert f"energy ({NO_SENSOR})" in figures.caption("regimes", both, PLOT)


def test_regimes_show_energy_where_it_is_known(large_study):
    assert len(figures.draw("regimes", large_study, PLOT).figure.axes) == 2


def test_the_papers_numbers_in_regimes_are_those_of_the_claims():
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    techniques = {name: entry["method"] for name, entry in config["techniques"].items()}
    found = {metric: {} for metric in regimes.PAPER}
    for claim in load(REPOSITORY / "config/claims.yaml", techniques).claims:
        alone = set(claim.variants) <= {"q16", "q8", "q6"} and claim.baseline == "fp32" and claim.paper is not None
        if claim.metric in found and alone and (claim.bound, claim.aggregation) == ("about", "mean"):
            ratio = claim.paper if claim.expressed == "ratio" else 1 + claim.paper / 100
            found[claim.metric] |= dict.fromkeys(claim.networks, ratio)
    assert found == {metric: pytest.approx(ratios) for metric, ratios in regimes.PAPER.items()}


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
