"""Glyphs: pictures of single characters in 100 classes, rendered from the fonts that come with matplotlib.

They stand in for ImageNet where a network has to be trained and judged in minutes. There are enough classes to make
top-5 worth reading. The characters are easily confused but never identical. No picture has to be downloaded.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont

from tocompress.files import replace_on_success
from tocompress.settings.data import Glyphs, Split

# Every glyph is scaled to the same extent, so height cannot tell twins apart. One of each pair is therefore left out:
# O beside 0, l and I beside 1, and the small c, o, p, s, v, w, x, z beside their capitals.
# fmt: off
CLASSES: tuple[str, ...] = tuple(
    "ABCDEFGHJKLMNPQRSTUVWXYZ"
    "abdefghijkmnqrt"
    "0123456789"
    "ΓΔΘΛΞΠΣΦΨΩ"
    "αβγδεζλμξπσω"
    "БДЖИЦЧШЭЮЯ"
    "&@#%?$£€¥§¶∞∀∇≈±÷→♣"
)
# fmt: on

# The checkpoints in zoo/ were trained on pictures with exactly these values. Lengths are shares of the picture's side,
# intensities are shares of full white.
EXTENT = 0.66  # of an unscaled glyph's longer side
SCALE = (0.70, 1.20)
STRETCH = 0.15  # relative, of height against width
ROTATION_DEGREES = 17.0
SHEAR = 0.18
SHIFT = 0.09
CONTRAST = (0.20, 0.72)  # between the mean colours of glyph and background
TINT = 0.12  # of a colour channel around the mean
INVERTED_SHARE = 0.08  # light glyphs on dark ground
NOISE = (0.02, 0.18)  # standard deviation
CLUTTER_SHARE = 0.5  # of pictures that hold a part of a second glyph
CLUTTER_STRENGTH = (0.2, 0.8)  # of the first glyph's contrast
CLUTTER_DISTANCE = (0.5, 0.65)

_SPLITS: dict[Split, int] = {"train": 0, "calibration": 1, "test": 2}
_LABELS, _PICTURES = 0, 1  # random streams
_FONTS_OF_ALL_SCRIPTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
)
# Computer Modern keeps other glyphs under the codes of symbols (cmti10 has a pound under "$").
_FONTS_OF_LATIN = ("cmr10", "cmb10", "cmss10", "cmti10", "cmtt10")


def render(split: Split, number: int, *, size: int = 32, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Render the first `number` pictures of a split. A larger `number` only appends pictures.

    Return images, uint8 [number, size, size, 3], and labels, int32 [number], indices of `CLASSES`. Each hundred
    pictures hold every class once.
    """
    masks = _masks(size)
    stream = [seed, _SPLITS[split]]
    images = np.empty((number, size, size, 3), np.uint8)
    labels = _labels(stream, number)
    for index, label in enumerate(labels):
        images[index] = _picture(np.random.default_rng([*stream, _PICTURES, index]), masks, int(label), size)
    return images, labels


def _labels(stream: list[int], number: int) -> np.ndarray:
    rounds = -(-number // len(CLASSES))
    labels = np.empty((rounds, len(CLASSES)), np.int32)
    for turn, order in enumerate(labels):
        order[:] = np.random.default_rng([*stream, _LABELS, turn]).permutation(len(CLASSES))
    return labels.ravel()[:number]


def _picture(random: np.random.Generator, masks: list[list[Image.Image]], label: int, size: int) -> np.ndarray:
    """Return one picture, uint8 [size, size, 3]."""
    ink = _warped(random, _any_mask(random, masks[label]), _offset(random, SHIFT))
    if random.random() < CLUTTER_SHARE:
        angle = random.uniform(0, 2 * np.pi)
        distance = random.uniform(*CLUTTER_DISTANCE)
        offset = (distance * np.cos(angle), distance * np.sin(angle))
        other = _warped(random, _any_mask(random, masks[random.integers(len(CLASSES))]), offset)
        ink = np.maximum(ink, random.uniform(*CLUTTER_STRENGTH) * other)
    background, foreground = _colours(random)
    noise = random.standard_normal((size, size, 3), dtype=np.float32) * random.uniform(*NOISE)
    picture = background + ink[..., None] * (foreground - background) + noise
    levels: np.ndarray = np.rint(np.clip(picture, 0, 1) * 255)
    return levels.astype(np.uint8)


def _any_mask(random: np.random.Generator, masks: list[Image.Image]) -> Image.Image:
    return masks[random.integers(len(masks))]


def _offset(random: np.random.Generator, reach: float) -> tuple[float, float]:
    return random.uniform(-reach, reach), random.uniform(-reach, reach)


def _warped(random: np.random.Generator, mask: Image.Image, offset: tuple[float, float]) -> np.ndarray:
    """Return the mask scaled, stretched, sheared, rotated about its centre, and shifted: float32 [size, size], 0..1."""
    size = mask.width
    angle = np.deg2rad(random.uniform(-ROTATION_DEGREES, ROTATION_DEGREES))
    scale, stretch = random.uniform(*SCALE), 1 + random.uniform(-STRETCH, STRETCH)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shear = np.array([[1, random.uniform(-SHEAR, SHEAR)], [0, 1]])
    # PIL needs the inverse map, from a point of the result to a point of the mask.
    back = np.linalg.inv(rotation @ shear @ np.diag([scale, scale * stretch]))
    centre = np.array([size / 2, size / 2])
    start = centre - back @ (centre + size * np.array(offset))
    coefficients = (back[0, 0], back[0, 1], start[0], back[1, 0], back[1, 1], start[1])
    warped = mask.transform((size, size), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)
    return np.asarray(warped, np.float32) / 255


def _colours(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return background and foreground, float32 [3] each, in 0..1."""
    contrast = random.uniform(*CONTRAST)
    dark = random.uniform(TINT, 1 - TINT - contrast)
    means = [dark + contrast, dark] if random.random() >= INVERTED_SHARE else [dark, dark + contrast]
    background, foreground = (mean + random.uniform(-TINT, TINT, 3).astype(np.float32) for mean in means)
    return background, foreground


@lru_cache
def _masks(size: int) -> list[list[Image.Image]]:
    """Return grey pictures [size, size] of each class, one for each font that has it: upright, in the middle."""
    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    files = [folder / f"{name}.ttf" for name in _FONTS_OF_ALL_SCRIPTS + _FONTS_OF_LATIN]
    charmaps = [FT2Font(str(file)).get_charmap() for file in files]
    fonts = [ImageFont.truetype(file, 4 * size, layout_engine=ImageFont.Layout.BASIC) for file in files]
    return [
        [
            _mask(font, character, size)
            for file, charmap, font in zip(files, charmaps, fonts, strict=True)
            if ord(character) in charmap and (file.stem in _FONTS_OF_ALL_SCRIPTS or character in _LATIN)
        ]
        for character in CLASSES
    ]


_LATIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")


def _mask(font: ImageFont.FreeTypeFont, character: str, size: int) -> Image.Image:
    left, top, right, bottom = font.getbbox(character)
    drawn = Image.new("L", (int(right - left), int(bottom - top)))
    ImageDraw.Draw(drawn).text((-left, -top), character, fill=255, font=font)
    ratio = EXTENT * size / max(drawn.size)
    width, height = (max(1, round(side * ratio)) for side in drawn.size)
    fitted = drawn.resize((width, height), Image.Resampling.LANCZOS)
    mask = Image.new("L", (size, size))
    mask.paste(fitted, ((size - fitted.width) // 2, (size - fitted.height) // 2))
    return mask


def write_split(path: str | Path, settings: Glyphs, split: Split) -> None:
    """Render a split and write it to the .npz `path`, whole or not at all."""
    number: int = getattr(settings, split)
    images, labels = render(split, number, size=settings.size, seed=settings.seed)
    with replace_on_success(path) as temporary, temporary.open("wb") as file:
        np.savez(file, images=images, labels=labels)
