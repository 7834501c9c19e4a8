"""A search is told in words, and its figure shows every candidate within its page."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pandas as pd
import pytest
from made_up_search import SEARCHES, SETTINGS
from matplotlib.text import Text

from tocompress.paths import FIGURE_FORMATS
from tocompress.reporting import search, style
from tocompress.reporting.figures import Drawing, save
from tocompress.reporting.figures.search import caption, drawing, marks, without_caption
from tocompress.search.space import in_words


def texts(made: Drawing) -> list[Text]:
    with style.applied():
        made.figure.canvas.draw()
    return [text for text in made.figure.findobj(Text) if text.get_text() and text.get_visible()]


def shown(name: str) -> set[str]:
    return {text.get_text().replace("\n", " ") for text in texts(without_caption(*SEARCHES[name], SETTINGS))}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_is_drawn_within_its_page_and_no_text_covers_another(name: str, tmp_path: Path) -> None:
    made = drawing(*SEARCHES[name], SETTINGS)
    page, boxes = made.figure.bbox.padded(1), [(text, text.get_window_extent()) for text in texts(made)]
    for text, box in boxes:
        assert text.get_fontsize() >= style.SMALL
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, text.get_text()
    for (one, box), (other, its) in combinations(boxes, 2):
        assert not box.padded(-1).overlaps(its.padded(-1)), (one.get_text(), other.get_text())
    files = {kind: tmp_path / f"search.{kind}" for kind in FIGURE_FORMATS}
    save(made, files, SETTINGS.plot)
    assert len(pd.read_csv(files["csv"])) == len(made.table)


def test_judged_candidates_are_named_and_the_chosen_one_is_told() -> None:
    assert {"chosen: 15 % cut, 8 bits, integer", "15 % cut, 8 bits, float", "fp32"} <= shown("met")
    assert {"15 % cut, 8 bits, integer", "15 % cut, 8 bits, float"} <= shown("not met")
    assert "30 % cut, float" not in shown("met")  # screened only


def test_requirements_stand_on_their_axes_alone() -> None:
    assert "top-1 loses at most 2 points" in shown("met") and "file size at most 300 kB" not in shown("met")
    assert {"top-1 at least 85 %", "inference time at most 5 ms"} <= shown("not met")
    assert {"runtime memory at most 6 MB", "runtime memory relative to fp32"} <= shown("no accuracy")
    assert {"BLEU loses at most 1 point", "change of BLEU from fp32 (points)"} <= shown("translation")


def test_each_configuration_has_its_last_screening_and_its_judging_and_fp32_one_mark_at_the_origin() -> None:
    candidates, answer = SEARCHES["met"]
    rows = marks(candidates, answer)
    assert sorted(rows["variant"]) == sorted(["fp32", *2 * ["p15-i8", "p15-q8"], "p30", "i6", "i4"])
    (fp32,) = rows[rows["variant"] == "fp32"].to_dict("records")
    assert (fp32["ratio"], fp32["ratio_high"], fp32["change"], fp32["change_low"]) == (1, 1, 0, 0)
    (chosen,) = rows[rows["chosen"]].to_dict("records")
    assert (chosen["variant"], chosen["stage"], chosen["verdict"]) == ("p15-i8", "judged", "met")
    assert chosen["change"] == pytest.approx(-0.8) and chosen["ratio"] == pytest.approx(0.5**0.9)


def test_the_front_takes_the_judged_value_of_a_judged_configuration() -> None:
    rows = marks(*SEARCHES["met"])
    front = rows[rows["on_front"]].sort_values("ratio")
    assert list(zip(front["variant"], front["stage"], strict=True)) == [
        ("i4", "screened"),
        ("p15-i8", "judged"),
        ("i6", "screened"),
        ("fp32", "judged"),
    ]
    memory = marks(*SEARCHES["no accuracy"])
    assert set(memory.loc[memory["on_front"], "variant"]) == {"i4", "i6", "p15-i8"}  # their intervals overlap
    assert not marks(*SEARCHES["one metric"])["on_front"].any()


def test_the_caption_states_requirements_observations_and_levels() -> None:
    text = str(caption(*SEARCHES["met"], SETTINGS))
    for part in ("top-1 loses at most 2 points and file size at most 300 kB", "95 % intervals", "99 % intervals"):
        assert part in text
    assert "250 examples of the calibration set of glyphs" in text and "2,000 examples of the test set" in text
    assert "2,000 resamples of the test set" in str(caption(*SEARCHES["translation"], SETTINGS))


def test_the_finding_is_the_chosen_configuration_or_that_there_is_none() -> None:
    found = {name: caption(*case, SETTINGS).finding for name, case in SEARCHES.items()}
    assert found["met"].startswith("MobileNet with 15 % cut, 8 bits, integer meets all requirements at ×0.536 (")
    assert found["not met"].startswith("No configuration of MobileNet surely meets")
    assert found["fp32 alone"].startswith("fp32 is the cheapest configuration")


@pytest.mark.parametrize(
    ("share", "arithmetic", "bits", "words"),
    [
        (0.0, "float", "", "fp32"),
        (0.3, "float", "", "30 % cut, float"),
        (0.15, "integer", "8 8", "15 % cut, 8 bits, integer"),
        (0.0, "float", "8 6 4", "8, 6 and 4 bits, float"),
        (0.0, "float", "4 4 4 4 8", "4 to 8 bits (4.8 on average), float"),
    ],
)
def test_a_configuration_is_told_in_words(share: float, arithmetic: str, bits: str, words: str) -> None:
    assert in_words(share, arithmetic, bits) == words


def test_a_requirement_is_told_with_its_unit_and_what_was_observed() -> None:
    size = {"metric": "size", "requirement": "at most", "bound": 4.5e6, "unit": "byte", "value": 257632.0}
    assert search.requirement(size) == "file size at most 4.5 MB"
    assert search.observed(size | {"low": 257632.0, "high": 257632.0}) == "258 kB"
    loss = {"metric": "top1", "requirement": "lose at most", "bound": 0.02, "unit": "fraction", "value": -0.0075}
    assert search.observed(loss | {"low": -0.01, "high": 0.005}) == "−0.75 (−1.00 to 0.50) points"
    assert search.observed(loss | {"low": None, "high": None}) == "−0.75 points"
