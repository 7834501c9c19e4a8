"""Resize pictures and scale them as TF-Slim's two preprocessing families do."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image

Kind = Literal["inception", "vgg"]

RGB_MEANS = np.array([123.68, 116.78, 103.94], np.float32)  # TF-Slim's vgg_preprocessing


def preprocess(images: np.ndarray, input_size: int, kind: Kind) -> np.ndarray:
    """Turn images, uint8 [N, h, w, 3], into network input, float32 [N, input_size, input_size, 3].

    This is for the datasets made here. It resizes the whole picture bilinearly and crops nothing. `inception` scales to
    -1..1, `vgg` subtracts TF-Slim's RGB means.
    """
    if images.shape[1:3] != (input_size, input_size):
        images = _resized(images, input_size)
    pixels = images.astype(np.float32)
    return pixels / np.float32(127.5) - 1 if kind == "inception" else pixels - RGB_MEANS


def _resized(images: np.ndarray, size: int) -> np.ndarray:
    resized = np.empty((len(images), size, size, 3), np.uint8)
    for index, image in enumerate(images):
        resized[index] = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))
    return resized
