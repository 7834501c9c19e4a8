"""Name the five best classes of a picture: `python run.py picture.png`.

It takes NumPy, Pillow and the runtime. card.json holds all numbers.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

HERE = Path(__file__).parent
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")


def main() -> None:
    """Print the probability, the number and the name of each of the five best classes."""
    if len(sys.argv) != 2:
        sys.exit("Error: give one picture, as in: python run.py picture.png")
    card = json.loads((HERE / "card.json").read_text(encoding="utf-8"))
    height, width, channels = card["inputs"][0]["shape"][1:]
    picture = read(sys.argv[1], channels)
    pixels = network_input(picture, height, width, card["preprocessing"])
    run = runpy.run_path(str(HERE / "runtime.py"))["loaded"](HERE / card["artifact"]["file"])
    logits = run({"input": pixels[np.newaxis]})[0].astype(np.float64)
    scores = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    labels = HERE / "labels.txt"
    names = labels.read_text(encoding="utf-8").split("\n") if labels.is_file() else [""] * len(scores)
    for number in np.argsort(-logits, kind="stable")[:5]:
        print(f"{scores[number]:8.4f} {number:5d} {names[number]}".rstrip())


def read(file: str, channels: int) -> Image.Image:
    """Return a picture upright, grey or RGB. Transparent pixels become black."""
    try:
        image: Image.Image = ImageOps.exif_transpose(Image.open(file, formats=FORMATS))
        if image.mode.startswith("I"):  # grey of 16 bits
            image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
        if image.has_transparency_data:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image.convert("RGBA"))
        return image.convert("L" if channels == 1 else "RGB")
    except FileNotFoundError:
        sys.exit(f"Error: {file}: there is no such file; name a picture")
    except Exception as error:  # Pillow raises errors of many kinds for damaged files
        sys.exit(f"Error: {file}: not a whole JPEG, PNG, WebP, BMP or GIF ({type(error).__name__})")


def network_input(image: Image.Image, height: int, width: int, how: dict[str, Any]) -> np.ndarray:
    """Return a picture as the network takes it, float32 [height, width, channels]."""
    fit = fitted if how["fit"] in ("stretch", "crop", "pad") else fitted_as_slim
    pixels = fit(image, height, width, how).reshape(height, width, -1)
    if how["order"] == "bgr":
        pixels = pixels[..., ::-1]
    for operation, number in how["pixels"]:
        pixels = getattr(np, operation)(pixels, np.array(number, np.float32))
    return pixels


def fitted(image: Image.Image, height: int, width: int, how: dict[str, Any]) -> np.ndarray:
    """Return a picture, or its middle, at a height and a width. `pad` adds black bars."""
    if how["fit"] == "pad":
        scale = min(width / image.width, height / image.height)
        inner = max(round(image.width * scale), 1), max(round(image.height * scale), 1)
        whole = Image.new(image.mode, (width, height))
        place = (width - inner[0]) // 2, (height - inner[1]) // 2
        whole.paste(image.resize(inner, Image.Resampling.BILINEAR), place)
        return np.asarray(whole, np.float32)
    kept = float(image.width), float(image.height)
    if how["fit"] == "crop":
        scale = min(image.width / width, image.height / height)
        kept = width * scale, height * scale
    left, top = (image.width - kept[0]) / 2, (image.height - kept[1]) / 2
    box = (left, top, min(left + kept[0], image.width), min(top + kept[1], image.height))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box), np.float32)


def fitted_as_slim(image: Image.Image, height: int, width: int, how: dict[str, Any]) -> np.ndarray:
    """Return the middle of a picture as TF-Slim cuts and resizes it."""
    pixels = np.asarray(image, np.float32)
    if how["fit"] == "central":
        top, left = (int((side - side * how["share"]) / 2) for side in pixels.shape[:2])
        pixels = pixels[top : len(pixels) - top, left : pixels.shape[1] - left]
        return interpolated(interpolated(pixels, 1, width), 0, height)
    sides = np.array(pixels.shape[:2], np.float32)
    rows, columns = np.rint(sides * (np.float32(how["shorter_side"]) / sides.min())).astype(int).tolist()
    top, left = (rows - height) // 2, (columns - width) // 2
    return interpolated(interpolated(pixels, 1, columns), 0, rows)[top : top + height, left : left + width]


def interpolated(pixels: np.ndarray, axis: int, size: int) -> np.ndarray:
    """Return pixels resized along an axis as TensorFlow 1 does, between the two nearest pixels."""
    there = pixels.shape[axis]
    place = np.arange(size, dtype=np.float32) * (np.float32(there) / np.float32(size))
    low = np.floor(place).astype(int)
    share = (place - low).astype(np.float32).reshape([-1 if axis == other else 1 for other in range(3)])
    first, second = pixels.take(low, axis), pixels.take(np.minimum(low + 1, there - 1), axis)
    between: np.ndarray = first + (second - first) * share
    return between


if __name__ == "__main__":
    main()
