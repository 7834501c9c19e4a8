"""The colours of figures can be read, and told apart, on a light and on a dark ground and by colour-blind eyes."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from colorspacious import cspace_convert
from colorspacious import deltaE as difference
from made_up import make_study
from matplotlib.colors import to_rgb

from tocompress.reporting import palette
from tocompress.reporting.study import Part, aggregate
from tocompress.settings.jobs import StudyVariant
from tocompress.vocabulary.variants import Variant

CONFIG = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())
GROUNDS = {"light": (palette.PAPER, palette.SOFT), "dark": (palette.DARK[palette.PAPER], palette.DARK[palette.SOFT])}
EYES = {"all": None, "protan": "protanomaly", "deutan": "deuteranomaly", "tritan": "tritanomaly"}


def default_study() -> pd.DataFrame:
    """Return the shares of filters that the default study's variants remove."""
    chosen = dict.fromkeys(["fp32", *(name for names in CONFIG["study"]["variants"].values() for name in names)])
    techniques = {name: [CONFIG["techniques"][part] for part in Variant.parse(name).techniques] for name in chosen}
    removed = [sum(part.get("share", 0.0) for part in own) for own in techniques.values()]
    rows = {"variant": list(chosen), "metric": "filters_removed", "unit": "fraction", "value": removed}
    part = Part("vgg_16", "vgg_16", "zoo", pd.DataFrame(rows | {"basis": "measured"}))
    return aggregate([part], [facts(name, own) for name, own in techniques.items()])


def facts(name, techniques):
    found = {key: value for part in techniques for key, value in part.items() if key in ("bits", "activations")}
    found = {key: str(value) if key == "activations" else value for key, value in found.items()}
    return StudyVariant(name=name, methods=tuple(part["method"] for part in techniques), **found)


LOOKS = {
    "default": palette.looks(default_study()),
    "made up": palette.looks(make_study(litert=True)),
    "sparse": palette.looks(make_study(("vgg_16",), ("fp32", "q8", "s50", "s50-q8"))),
}


def contrast(one: str, other: str) -> float:
    """Return the ratio of contrast of WCAG 2."""
    light, dark = sorted(map(luminance, (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = np.array(to_rgb(colour))
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def colours(study: str, ground: str) -> dict[str, str]:
    return {variant: look.colour if ground == "light" else look.dark for variant, look in LOOKS[study].items()}


@pytest.mark.parametrize("ground", GROUNDS)
def test_text_can_be_read(ground):
    texts = {"light": (palette.INK, palette.MUTED), "dark": (palette.DARK[palette.INK], palette.DARK[palette.MUTED])}
    for text in texts[ground]:
        assert min(contrast(text, paper) for paper in GROUNDS[ground]) >= 4.5


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("study", LOOKS)
def test_marks_can_be_seen(study, ground):
    for variant, colour in colours(study, ground).items():
        assert min(contrast(colour, paper) for paper in GROUNDS[ground]) >= 3, variant


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("study", LOOKS)
def test_variants_of_one_shape_differ_by_colour_for_all_eyes(study, eyes, ground):
    seen = {variant: as_seen(colour, EYES[eyes]) for variant, colour in colours(study, ground).items()}
    for one, other in combinations(seen, 2):
        if LOOKS[study][one].shape == LOOKS[study][other].shape:
            assert difference(seen[one], seen[other], input_space="sRGB1") >= 5, f"{one} and {other}"


def as_seen(colour: str, deficiency: str | None) -> np.ndarray:
    """Return a colour as eyes see it that wholly lack one kind of cones."""
    space = {"name": "sRGB1+CVD", "cvd_type": deficiency, "severity": 100}
    parts = np.array(to_rgb(colour))
    return np.clip(cspace_convert(parts, space, "sRGB1"), 0, 1) if deficiency else parts


@pytest.mark.parametrize(("ground", "sign"), [("light", -1), ("dark", 1)])
@pytest.mark.parametrize(
    "stronger", [("q16", "q8", "q6", "q4"), ("i8", "i6", "i4"), ("p05", "p15", "p30", "p50", "p75")]
)
def test_a_stronger_technique_stands_out_more(stronger, ground, sign):
    found = [luminance(colours("default", ground)[variant]) for variant in stronger]
    assert (sign * np.diff(found) > 0).all()


def test_a_look_is_the_same_in_the_figures_of_all_runtimes_and_of_the_first():
    both, alone = palette.looks(make_study(litert=True)), palette.looks(make_study())
    assert both.items() >= alone.items()


def test_another_technique_has_a_look_of_its_own():
    sparse = LOOKS["sparse"]
    assert len({(look.colour, look.shape) for look in sparse.values()}) == len(sparse)
