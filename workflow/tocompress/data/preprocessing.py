"""Resize pictures and scale them, as TF-Slim does in two families, or as the config says."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image

from tocompress.settings.data import Preprocessing

Kind = Literal["inception", "vgg"]
Shape = tuple[int, int, int]  # height, width and channels

RGB_MEANS = np.array([123.68, 116.78, 103.94], np.float32)  # TF-Slim's vgg_preprocessing


def preprocess(images: np.ndarray, shape: Shape, kind: Kind) -> np.ndarray:
    """Turn images, uint8 [N, h, w, 3], into network input, float32 [N, height, width, 3].

    This is for the datasets made here. It resizes the whole picture bilinearly and crops nothing. `inception` scales to
    -1..1, `vgg` subtracts TF-Slim's RGB means.
    """
    if images.shape[1:] != shape:
        images = _resized(images, shape)
    pixels = images.astype(np.float32)
    return pixels / np.float32(127.5) - 1 if kind == "inception" else pixels - RGB_MEANS


def _resized(images: np.ndarray, shape: Shape) -> np.ndarray:
    resized = np.empty((len(images), *shape), np.uint8)
    for index, image in enumerate(images):
        resized[index] = np.asarray(Image.fromarray(image).resize(shape[1::-1], Image.Resampling.BILINEAR))
    return resized


def prepared(picture: Image.Image, shape: Shape, how: Preprocessing) -> np.ndarray:
    """Return a grey or RGB picture as the config's `preprocessing` makes it, float32 [height, width, channels]."""
    pixels: np.ndarray = np.asarray(_fitted(picture, shape, how), np.float32).reshape(shape)
    if how.order == "bgr":
        pixels = pixels[..., ::-1]
    low, high = how.scale
    pixels = pixels * np.float32((high - low) / 255) + np.float32(low)
    if how.mean is not None:
        pixels = pixels - np.array(how.mean, np.float32)
    if how.deviation is not None:
        pixels = pixels / np.array(how.deviation, np.float32)
    return pixels


def _fitted(picture: Image.Image, shape: Shape, how: Preprocessing) -> Image.Image:
    """Return a picture at the height and the width of a network's input."""
    height, width, _ = shape
    if how.resize == "pad":
        scale = min(width / picture.width, height / picture.height)
        inner = max(round(picture.width * scale), 1), max(round(picture.height * scale), 1)
        fitted = Image.new(picture.mode, (width, height))
        place = (width - inner[0]) // 2, (height - inner[1]) // 2
        fitted.paste(picture.resize(inner, Image.Resampling.BILINEAR), place)
        return fitted
    kept_width, kept_height = float(picture.width), float(picture.height)
    if how.resize == "crop":
        scale = min(picture.width / width, picture.height / height)
        kept_width, kept_height = width * scale, height * scale
    left, top = (picture.width - kept_width) / 2, (picture.height - kept_height) / 2
    box = (left, top, min(left + kept_width, picture.width), min(top + kept_height, picture.height))
    return picture.resize((width, height), Image.Resampling.BILINEAR, box)
