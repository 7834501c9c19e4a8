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
from tocompress.paths import FIGURE_FORMATS
from tocompress.reporting import figures, palette, style
from tocompress.reporting.figures import FIGURES, captions, regimes, values
from tocompress.reporting.figures.comparison import compared
from tocompress.schemas.study import STUDY
from tocompress.settings.claims import load
from tocompress.settings.reporting import Plot
from tocompress.tables import write_table
from tocompress.vocabulary.arithmetic import EVERY_INFERENCE, INTEGER, ONCE, in_print
from tocompress.vocabulary.metrics import JUDGES

PLOT = Plot(dpi=60)
REPOSITORY = Path(__file__).parents[2]


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def told(name, study, plot):
    """The whole caption."""
    return str(figures.caption(name, study, plot))


def save_all(study, folder):
    """Every figure of `study`, drawn and saved under `folder`."""
    for name in FIGURES:
        files = {kind: folder / f"{name}.{kind}" for kind in FIGURE_FORMATS}
        figures.save(figures.draw(name, study, PLOT), files, PLOT)


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
    assert len(files) == len(FIGURE_FORMATS) * len(FIGURES)
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
        assert "the device did not answer" in told(name, table, PLOT)


def titles(drawing):
    return [axes.get_title("left").partition(") ")[2] for axes in drawing.figure.axes]


def test_a_panel_without_values_vanishes_and_the_caption_says_why(study, large_study):
    drawing = figures.draw("fig20_pruning", study, PLOT)
    assert titles(drawing) == ["file size", "inference time", "accuracy", "F1"]
    assert f"peak power and energy ({NO_SENSOR})" in told("fig20_pruning", study, PLOT)
    hidden = drawing.table[drawing.table["panel"] == ""]
    assert set(hidden["metric"]) == {"power_peak", "energy"}
    assert {"peak power", "energy"} <= set(titles(figures.draw("fig20_pruning", large_study, PLOT)))


def test_models_without_values_are_not_in_a_line_of_panels(study):
    shown = figures.draw(
        "fig13_quantization", study[~study["model"].eq("vgg_16") | study["metric"].ne("latency")], PLOT
    )
    named = texts(shown.figure)
    assert named.count("VGG 16") == 1 and named.count("ResNet 50") == 2


@pytest.mark.parametrize("name", ["fig13_quantization", "fig20_pruning", "fig27_memory", "fig41_combination"])
def test_each_mark_tells_its_row_and_is_filled_where_it_differs_clearly(name, study):
    drawing = figures.draw(name, study, PLOT)
    shown = compared(drawing.table[drawing.table["panel"].ne("")])
    shown = shown[~shown["metric"].isin(["top5", "precision", "recall"])]
    marks = [line for axes in drawing.figure.axes for line in axes.lines if line.get_gid()]
    faces = {line.get_gid(): line.get_markerfacecolor() != palette.PAPER for line in marks}
    assert faces == {f"told: {values.told(row)}": row.clear for row in shown.itertuples()}
    assert len(marks) == len(shown)


def test_marks_stand_at_their_ratio_or_their_change_in_points(study):
    drawing = figures.draw("fig41_combination", study, PLOT)
    shown = compared(drawing.table[drawing.table["panel"].ne("")])
    drawn = [
        line.get_xdata()[line.get_markevery()[0]]
        for axes in drawing.figure.axes
        for line in axes.lines
        if line.get_gid()
    ]
    assert sorted(drawn) == sorted(shown["shown"])


def test_rows_tell_their_values_where_a_page_has_room(study):
    written = texts(figures.draw("fig41_combination", study, PLOT).figure)
    row = study[study["model"].eq("vgg_16") & study["variant"].eq("q8-p05") & study["label"].isna()]
    row = row.set_index("metric")
    assert f"×{row.loc['size', 'ratio']:.2f}" in written
    assert style.in_points(row.loc["top1", "change"], "fraction", name=False) in written


def test_many_rows_take_a_key_in_place_of_their_names(large_study):
    written = texts(figures.draw("fig13_quantization", large_study, PLOT).figure)
    assert written.count("dyn8") == 1


@pytest.mark.parametrize(
    ("ratios", "finding"),
    [
        ([(0.5, 0.4, 0.6), (1.2, 1.1, 1.3), (1.0, 0.9, 1.1)], "Time is clearly lower in 1 and higher in 1 of 3 cases."),
        ([(1.0, 0.9, 1.1)], "Time is clearly different in none of 1 cases."),
        ([], ""),
    ],
)
def test_a_finding_counts_clear_differences(ratios, finding, study):
    rows = study[study["metric"].eq("latency") & study["variant"].eq("q8")].iloc[: len(ratios)]
    rows = rows.assign(**dict(zip(("ratio", "ratio_low", "ratio_high"), zip(*ratios, strict=True), strict=False)))
    assert captions.tally({"time": rows}) == finding


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
    caption = told("fig13_quantization", both, PLOT)
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
    assert "TensorFlow" in told(name, both, PLOT)


def test_captions_state_device_mode_intervals_and_observations(study):
    for name in ("fig13_quantization", "fig24_thresholds", "fig27_memory", "fig36_pruning_sizes", "fig41_combination"):
        caption = told(name, study, Plot(arithmetic=ONCE))
        for part in ("Device: host (cpu, TensorFlow)", "95 % intervals", "n = "):
            assert part in caption
        assert ("dequantized once" in caption) == (name not in ("fig24_thresholds", "fig36_pruning_sizes"))


PRUNING = ("fig05_motivation", "fig20_pruning", "fig24_thresholds", "fig36_pruning_sizes", "fig41_combination")


@pytest.mark.parametrize("name", PRUNING)
def test_a_study_without_pruning_says_so(name, small_study):
    drawing = figures.draw(name, small_study, PLOT)
    assert not drawing.figure.axes and "not part of this study" in " ".join(texts(drawing.figure))
    assert "not part of this study" in told(name, small_study, PLOT)


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


def test_missing_metrics_share_a_phrase_where_the_models_are_the_same(study):
    caption = told("fig13_quantization", study, PLOT)
    models = "Inception v1 full, ResNet 50 full and MobileNet full"
    assert f"top-1, top-5, precision, recall and F1 of {models} (no trained weights)" in caption


@pytest.mark.parametrize(
    "name", ["fig13_quantization", "fig32_quantization_sizes", "fig41_combination", "pareto", "zoo_sensitivity"]
)
def test_a_figure_of_few_bits_says_that_the_zoo_is_kinder_than_real_networks(name, study):
    chains = study.assign(variant=study["variant"].replace("q8-p05", "q6-p05"))
    plot = Plot()
    assert "docs/zoo.md" in told(name, chains, plot)
    assert "docs/zoo.md" not in told(name, study[~study["variant"].isin(["q6", "q6-p05"])], plot)
    assert "docs/zoo.md" not in told(name, chains.assign(build="published"), plot)


@pytest.mark.parametrize("build", ["published", "own"])
def test_real_weights_with_as_few_bits_stand_beside_the_zoos(build, study):
    real = study["model"].eq("mobilenet_v1")
    caption = told("fig13_quantization", study.assign(build=study["build"].mask(real, build)), Plot())
    top1 = study[real & study["metric"].eq("top1")].set_index("variant")
    value, low, high = (f"{100 * number:.1f} %" for number in top1.loc["q6", ["value", "low", "high"]])
    expected = f"MobileNet q6 top-1 {value} ({low} to {high}, n = 2,000; fp32 {100 * top1.loc['fp32', 'value']:.1f} %)"
    assert caption.count(expected) == 1
    assert "real weights" not in told("fig13_quantization", study, Plot())


def with_options(study, variant, options, **facts):
    """The study in which a variant has these options."""
    rows = study["variant"].eq(variant)
    return study.assign(options=study["options"].mask(rows, options), **{
        name: study[name].mask(rows, value) for name, value in facts.items()
    })  # fmt: skip


def test_figure_13_tells_the_options_of_variants(study):
    caption = told("fig13_quantization", with_options(study, "q6", "range mse, rounding learned"), PLOT)
    assert "Quantized with options: q6 (range mse, rounding learned)." in caption
    assert "options" not in told("fig13_quantization", study, PLOT)


def test_mixed_bits_count_as_few(study):
    mixed = with_options(study, "q6", "mixed bits", bits=pd.NA)
    assert "docs/zoo.md" in told("fig13_quantization", mixed, PLOT)
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


def test_dequantization_has_bars_in_each_arithmetic_that_spends_time_on_it(both):
    drawing = figures.draw("fig28_dequantization", both, PLOT)
    assert [axes.get_title("left") for axes in drawing.figure.axes] == [f"TensorFlow, {in_print(EVERY_INFERENCE)}", ""]
    assert f"time, {in_print(ONCE)}" in texts(drawing.figure)
    caption = told("fig28_dequantization", both, PLOT)
    assert "dequantization in TensorFlow dequantized once, LiteRT dequantized once and LiteRT in integers" in caption
    shares = drawing.table[drawing.table["label"].eq("dequantization")]
    assert f"at most {100 * shares['value'].max():.1f} % of the operation time" in caption


def test_dequantization_begins_with_the_longest_inference(study):
    names = {model.label for model in style.shown_models(study)}
    shown = [text for text in texts(figures.draw("fig28_dequantization", study, PLOT).figure) if text in names]
    assert shown[-3:] == ["ResNet 50 full", "Inception v1 full", "MobileNet full"]


def test_operations_are_shown_of_each_runtime(both):
    for name in ("fig06_operations", "fig28_dequantization"):
        drawing = figures.draw(name, both, PLOT)
        assert set(drawing.table["runtime"]) == {"tensorflow", "litert"}
        assert f"({TOO_SHORT})" in told(name, both, PLOT)


def test_the_sweep_of_bits_finds_where_accuracy_begins_to_fall(study):
    of_bits = study["metric"].isin(JUDGES) & study["change"].notna() & study["methods"].eq("quantize")
    lost = study["bits"].map({16: 0.0, 8: 0.0, 6: -0.2})
    ends = {f"change{end}": study[f"change{end}"].mask(of_bits, lost + by) for end, by in ENDS.items()}
    finding = figures.caption("zoo_sensitivity", study.assign(**ends), PLOT).finding
    assert finding == "From 6 bits down, models lose accuracy clearly: 4 of 4 with 6 bits (per tensor)."


ENDS = {"": 0.0, "_low": -0.01, "_high": 0.01}


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
    assert f"energy ({NO_SENSOR})" in told("regimes", both, PLOT)


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
