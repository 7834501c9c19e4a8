"""Photographs, which stay encoded in their files. They become the input of a network when it is needed."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from tocompress.data.preprocessing import RGB_MEANS, Kind, Shape, prepared
from tocompress.errors import StudyError, about
from tocompress.runtimes.tensorflow.module import tensorflow
from tocompress.schemas.study import PHOTOGRAPHS
from tocompress.settings.data import Preprocessing
from tocompress.tables import read_table

CENTRAL_SHARE = 0.875  # of height and width, which `inception` keeps
SHORTER_SIDE = 256  # pixels, to which `vgg` resizes before it crops
LONGEST_SHORTER_SIDE = 512  # pixels, in training, where the shorter side is random
SMALLEST_AREA = 0.05  # of the picture, the least that a training crop of `inception` covers
WIDEST = 4 / 3  # width to height of such a crop, or height to width
SMALLEST_PART = 0.5  # of a picture in folders, the least that a training crop covers

Tensor = Any
Source = TypeVar("Source")

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
#: The errors that Pillow raises for a damaged file, or for a file that is no picture.
_DAMAGE = (
    OSError, EOFError, ValueError, SyntaxError, LookupError, TypeError, OverflowError, MemoryError, struct.error,
    Image.DecompressionBombError,
)  # fmt: skip


class _Place(NamedTuple):
    """The place of an encoded image: `size` bytes from `offset` of a file."""

    file: str
    offset: int
    size: int

    def read(self) -> bytes:
        try:
            with Path(self.file).open("rb") as file:
                file.seek(self.offset)
                encoded = file.read(self.size)
        except OSError as error:
            raise StudyError(f"{self}: not readable ({error.strerror}); has it moved since it was indexed?") from error
        if not encoded or len(encoded) < self.size:
            raise StudyError(f"{self}: {len(encoded)} of {self.size} bytes are there; a whole image is needed")
        return encoded

    def __str__(self) -> str:
        return f"{self.file} at byte {self.offset}" if self.offset else self.file


@dataclass(frozen=True, eq=False)
class Photographs:
    """Encoded images. `index` holds file, offset and size (bytes). An index array, mask or slice selects some."""

    index: pd.DataFrame

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, rows: np.ndarray | slice) -> Photographs:
        return Photographs(self.index.iloc[rows])

    def network_input(self, shape: Shape, kind: Kind | None, threads: int = 1) -> np.ndarray:
        """Return the input for evaluation, float32 [N, height, width, 3]. It equals TF-Slim's bit by bit.

        `threads` threads share the images, and their number changes no bit. Raise StudyError that names a file
        without a whole image.
        """
        size, family = _slim(shape, kind)
        return _stacked(_evaluation(size, family), self._places(), shape, threads)

    def augmented(self, shape: Shape, kind: Kind | None, random: np.random.Generator) -> np.ndarray:
        """Return the input for training, float32 [N, height, width, 3]: TF-Slim's distortions without colour.

        `inception`: a crop of 5 to 100 % of the area, 3:4 to 4:3, resized. `vgg`: a crop of the picture resized to a
        shorter side of 256 to 512 pixels. Half of the crops are mirrored. Errors as in `network_input`.
        """
        size, family = _slim(shape, kind)
        crop = _any_crop if family == "inception" else _any_scale
        inputs = np.empty((len(self), *shape), np.float32)
        for row, place in enumerate(self._places()):
            picture = _picture(place)
            box = crop(picture.size, size, random)
            resized = picture.resize((size, size), Image.Resampling.BILINEAR, box)
            pixels = np.asarray(resized)
            inputs[row] = pixels[:, ::-1] if random.random() < 0.5 else pixels
        return inputs / np.float32(127.5) - 1 if family == "inception" else inputs - RGB_MEANS

    def _places(self) -> list[_Place]:
        columns = (self.index[name].tolist() for name in _Place._fields)
        return [_Place(*fields) for fields in zip(*columns, strict=True)]


@dataclass(frozen=True, eq=False)
class PictureFiles:
    """Pictures of a user's folders, by their files. An index array, mask or slice selects some.

    Without `preprocessing`, they are prepared as the TF-Slim family of the network is.
    """

    files: np.ndarray
    preprocessing: Preprocessing | None

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: np.ndarray | slice) -> PictureFiles:
        return PictureFiles(self.files[rows], self.preprocessing)

    def network_input(self, shape: Shape, kind: Kind | None, threads: int = 1) -> np.ndarray:
        """Return the input for evaluation, float32 [N, height, width, channels]. One channel is grey.

        `threads` threads share the pictures, and their number changes no bit. Raise StudyError that names a file
        without a whole picture.
        """
        prepare = self._preparation(shape, kind)
        return _stacked(lambda file: prepare(_opened(file, shape)), self.files, shape, threads)

    def augmented(self, shape: Shape, kind: Kind | None, random: np.random.Generator) -> np.ndarray:
        """Return the input for training, float32 [N, height, width, channels]: crops, prepared as in evaluation.

        A crop covers at least half of the picture. It is at most a third wider or higher in aspect. It is not mirrored,
        since a picture may show text.
        """
        prepare = self._preparation(shape, kind)

        def cropped(file: str) -> np.ndarray:
            picture = _opened(file, shape)
            return prepare(picture.crop(_large_crop(picture.size, random)))

        return _stacked(cropped, self.files, shape, threads=1)

    def _preparation(self, shape: Shape, kind: Kind | None) -> Callable[[Image.Image], np.ndarray]:
        if self.preprocessing is not None:
            return partial(prepared, shape=shape, how=self.preprocessing)
        run = _evaluation_of_pixels(*_slim(shape, kind))
        return lambda picture: run(np.asarray(picture))


def read_photographs(path: str | Path) -> tuple[Photographs, np.ndarray]:
    """Return the photographs of a split and their labels, int32 [N], from its table of the schema `photographs`."""
    table = read_table(path, PHOTOGRAPHS)
    return Photographs(table[list(_Place._fields)]), table["label"].to_numpy(np.int32)


def evaluation_input(image: Tensor, input_size: int, kind: Kind) -> Tensor:
    """Preprocess as TF-Slim does for evaluation: uint8 [h, w, 3] to float32 [input_size, input_size, 3], as tensors."""
    tf = tensorflow()
    resize = partial(tf.raw_ops.ResizeBilinear, align_corners=False, half_pixel_centers=False)
    if kind == "inception":
        # Cropping before the conversion to floats costs less and gives the same result.
        floats = tf.image.convert_image_dtype(tf.image.central_crop(image, CENTRAL_SHARE), tf.float32)
        return (resize(images=floats[None], size=[input_size, input_size])[0] - 0.5) * 2.0
    sides = tf.cast(tf.shape(image)[:2], tf.float32)
    new_sides = tf.cast(tf.math.rint(sides * (float(SHORTER_SIDE) / tf.reduce_min(sides))), tf.int32)
    top, left = tf.unstack((new_sides - input_size) // 2)
    resized = resize(images=image[None], size=new_sides)[0]
    return resized[top : top + input_size, left : left + input_size] - RGB_MEANS


def _slim(shape: Shape, kind: Kind | None) -> tuple[int, Kind]:
    """Return the input size of one of TF-Slim's networks, and its family."""
    height, width, channels = shape
    if kind is None or height != width or channels != 3:
        raise StudyError(f"an input of {height} x {width} x {channels} is not TF-Slim's; data needs `preprocessing`")
    if kind == "vgg" and height > SHORTER_SIDE:
        raise StudyError(f"input_size {height}: crops of {SHORTER_SIDE} pixels at most; make the model's smaller")
    return height, kind


def _stacked(
    prepare: Callable[[Source], np.ndarray], sources: Sequence[Source] | np.ndarray, shape: Shape, threads: int
) -> np.ndarray:
    """Return all sources, each prepared, float32 [N, height, width, channels]."""
    inputs = np.empty((len(sources), *shape), np.float32)

    def fill(row: int, source: Source) -> None:
        inputs[row] = prepare(source)

    if threads == 1:
        for row, source in enumerate(sources):
            fill(row, source)
        return inputs
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(fill, range(len(sources)), sources):
            pass
    return inputs


@cache
def _evaluation(input_size: int, kind: Kind) -> Callable[[_Place], np.ndarray]:
    """Return a function that reads, decodes and preprocesses one image. Several threads may call it at once."""
    tf = tensorflow()
    with tf.Graph().as_default() as graph:
        encoded = tf.compat.v1.placeholder(tf.string, [])
        # TF-Slim leaves the method to TensorFlow, and TensorFlow takes this one.
        image = tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_FAST")
        result = evaluation_input(image, input_size, kind)
    run = _callable(graph, result, encoded)

    def prepare(place: _Place) -> np.ndarray:
        try:
            return run(place.read())
        except tf.errors.OpError as error:
            raise _no_image(place) from error

    return prepare


@cache
def _evaluation_of_pixels(input_size: int, kind: Kind) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that preprocesses one image, uint8 [h, w, 3]. Several threads may call it at once."""
    tf = tensorflow()
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.uint8, [None, None, 3])
        result = evaluation_input(image, input_size, kind)
    return _callable(graph, result, image)


def _callable(graph: Any, result: Tensor, fed: Tensor) -> Callable[[Any], np.ndarray]:
    tf = tensorflow()
    # A shared pool would make all callers wait for one thread, so each call runs in its caller.
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=-1)
    run: Callable[[Any], np.ndarray] = tf.compat.v1.Session(graph=graph, config=config).make_callable(result, [fed])
    return run


def decoded(encoded: bytes, channels: int) -> Image.Image:
    """Return a picture upright, as grey for one channel, else RGB. Transparent pixels become black.

    Raise StudyError where it is not a whole picture.
    """
    try:
        image: Image.Image = ImageOps.exif_transpose(Image.open(io.BytesIO(encoded), formats=FORMATS))
        if image.mode.startswith("I"):  # Pillow would cut off grey of 16 bits instead of scaling it
            image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
        if image.has_transparency_data:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image.convert("RGBA"))
        return image.convert("L" if channels == 1 else "RGB")
    except _DAMAGE as error:
        raise StudyError("not a whole JPEG, PNG, WebP, BMP or GIF; get the file again") from error


def _opened(file: str, shape: Shape) -> Image.Image:
    try:
        encoded = Path(file).read_bytes()
    except OSError as error:
        raise StudyError(f"{file}: not readable ({error.strerror}); has it moved since it was indexed?") from error
    with about(file):
        return decoded(encoded, shape[2])


def _picture(place: _Place) -> Image.Image:
    encoded = place.read()
    try:
        image: Image.Image = Image.open(io.BytesIO(encoded), formats=("JPEG", "PNG", "GIF"))
        if image.mode.startswith("I"):  # Pillow would cut off grey of 16 bits instead of scaling it
            image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
        return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _no_image(place) from error


def _no_image(place: _Place) -> StudyError:
    return StudyError(f"{place}: not a whole JPEG or PNG; get the file again")


Box = tuple[float, float, float, float]  # left, top, right, bottom: pixels


def _any_crop(size: tuple[int, int], input_size: int, random: np.random.Generator) -> Box:
    width, height = size
    aspect = WIDEST ** random.uniform(-1, 1)
    largest = min(width * width / aspect, height * height * aspect)
    area = random.uniform(min(SMALLEST_AREA * width * height, largest), largest)
    return _placed(size, (area * aspect) ** 0.5, (area / aspect) ** 0.5, random)


def _any_scale(size: tuple[int, int], input_size: int, random: np.random.Generator) -> Box:
    side = input_size * min(size) / random.integers(SHORTER_SIDE, LONGEST_SHORTER_SIDE, endpoint=True)
    return _placed(size, side, side, random)


def _placed(size: tuple[int, int], width: float, height: float, random: np.random.Generator) -> Box:
    """Draw the place of a box of this width and height in a picture."""
    left, top = (random.uniform(0, max(whole - part, 0)) for whole, part in zip(size, (width, height), strict=True))
    return left, top, min(left + width, size[0]), min(top + height, size[1])


def _large_crop(size: tuple[int, int], random: np.random.Generator) -> tuple[int, int, int, int]:
    """Draw a box of half of the picture or more. Its aspect is relative to the picture's, which may be a line."""
    width, height = size
    aspect = WIDEST ** random.uniform(-1, 1)
    area = random.uniform(SMALLEST_PART, min(aspect, 1 / aspect))
    box = _placed(size, width * (area * aspect) ** 0.5, height * (area / aspect) ** 0.5, random)
    left, top, right, bottom = map(round, box)
    return left, top, max(right, left + 1), max(bottom, top + 1)
