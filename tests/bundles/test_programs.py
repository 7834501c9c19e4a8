"""The programs of a bundle do to pictures and sentences what the library does, without it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tocompress.bundles.inputs import class_names, interface
from tocompress.bundles.programs import classification, translation
from tocompress.data.photographs import PictureFiles, decoded
from tocompress.data.preprocessing import preprocess
from tocompress.data.subwords import Segmentation, Vocabulary, decode, words
from tocompress.schemas.study import PICTURES
from tocompress.settings.data import DataSettings, Folders, Glyphs, ImageNet, Preprocessing
from tocompress.settings.jobs import BundleJob
from tocompress.settings.model import ImageModel
from tocompress.tables import write_table

SUBWORDS = Path(__file__).parents[2] / "zoo/number_phrases"
PREPROCESSING = {
    "cut": {"scale": (-1, 1)},
    "cut, of other colours": {"scale": (0, 255), "mean": (103.9, 116.8, 123.7), "order": "bgr"},
    "stretched": {"resize": "stretch", "scale": (0, 1), "mean": (0.5, 0.4, 0.3), "deviation": (0.2, 0.3, 0.4)},
    "left as they are": {"scale": (0, 255)},
    "padded": {"resize": "pad", "scale": (-1, 1), "deviation": (2, 2, 2)},
}


def job(network: str, data: DataSettings, classes: int = 100) -> BundleJob:
    model = ImageModel(network=network, build="initial", input_size=32, classes=classes, data="mine")
    facts = {"name": "mine", "runtime": "litert", "variant": "fp32", "techniques": {}, "arithmetic": ()}
    return BundleJob(model=model, data=data, command="", **facts)


def prepared(asked: BundleJob, picture: Path) -> np.ndarray:
    """What the program makes of a picture by the card's numbers."""
    how = interface(asked)["preprocessing"]
    return classification.network_input(classification.read(str(picture), 3), 32, 32, how)


@pytest.fixture(params=[(32, 32), (50, 41), (41, 300), (7, 9)], ids=str)
def picture(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A picture of any height and width."""
    pixels = np.random.default_rng(0).integers(0, 256, (*request.param, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.mark.parametrize("network", ["mobilenet_v1", "vgg_16"])
def test_rendered_pictures_are_prepared_bit_for_bit(network: str, picture: Path) -> None:
    pixels = np.asarray(Image.open(picture))[np.newaxis]
    expected = preprocess(pixels, (32, 32, 3), "vgg" if network == "vgg_16" else "inception")
    np.testing.assert_array_equal(prepared(job(network, Glyphs(kind="glyphs")), picture), expected[0])


@pytest.mark.parametrize("case", PREPROCESSING)
def test_a_users_preprocessing_is_done_bit_for_bit(case: str, picture: Path) -> None:
    how = Preprocessing(**PREPROCESSING[case])
    expected = PictureFiles(np.array([str(picture)], object), how).network_input((32, 32, 3), None)
    data = Folders(kind="folders", test="test", preprocessing=how)
    np.testing.assert_array_equal(prepared(job("vgg_16", data), picture), expected[0])


@pytest.mark.parametrize(("network", "family"), [("mobilenet_v1", "inception"), ("vgg_16", "vgg")])
def test_photographs_are_prepared_as_slim_does(network: str, family: str, picture: Path) -> None:
    expected = PictureFiles(np.array([str(picture)], object), None).network_input((32, 32, 3), family)
    found = prepared(job(network, Folders(kind="folders", test="test")), picture)
    np.testing.assert_allclose(found, expected[0], atol=2e-4 if family == "vgg" else 2e-6)


@pytest.mark.parametrize("mode", ["L", "I;16", "P", "RGBA", "LA", "CMYK"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_any_kind_are_read_alike(mode: str, channels: int, tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 256, (6, 5, 4), np.uint8)
    if mode == "I;16":
        image = Image.fromarray(values[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(values, "CMYK" if mode == "CMYK" else "RGBA").convert(mode)
    content = io.BytesIO()
    image.save(content, "JPEG" if mode == "CMYK" else "PNG")
    (tmp_path / "a").write_bytes(content.getvalue())
    found = classification.read(str(tmp_path / "a"), channels)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(decoded(content.getvalue(), channels)))


def test_classes_have_names_where_the_data_name_all_of_them(tmp_path: Path) -> None:
    def names(data: DataSettings, classes: int, pictures: Path | None = None) -> list[str]:
        asked = job("vgg_16", data, classes)
        return class_names(asked.model, asked.data, pictures)

    glyphs, imagenet = Glyphs(kind="glyphs"), ImageNet(kind="imagenet", images="")
    assert names(glyphs, 100)[:3] == ["A", "B", "C"]
    assert names(glyphs, 1001) == []
    assert names(imagenet, 1000)[0] == "n01440764"
    assert names(imagenet, 1001)[:2] == ["background", "n01440764"]
    rows = {"example": [0, 1], "file": ["a", "b"], "size": 1, "digest": "", "label": [1, 0], "classes": 2}
    table = pd.DataFrame(rows | {"class_name": ["tulip\nred", "rose"]})
    write_table(tmp_path / "test.parquet", PICTURES, table)
    assert names(Folders(kind="folders", test="test"), 2, tmp_path / "test.parquet") == ["rose", "tulip red"]


@pytest.fixture(scope="module")
def codes() -> list[str]:
    return translation.lines(SUBWORDS / "codes.bpe")


_SENTENCES = st.lists(st.text("abdeinorstuvwyz0123'.-ß ", min_size=1, max_size=30), max_size=3)


@settings(max_examples=200, deadline=None)
@given(sentences=_SENTENCES, old=st.booleans(), some=st.integers(3, 395))
def test_sentences_are_split_as_by_subword_nmt(codes: list[str], sentences: list[str], old: bool, some: int) -> None:
    tokens = tuple(translation.lines(SUBWORDS / "vocabulary.en"))[:some]
    used = codes[1:] if old else codes
    for known in (None, Vocabulary(tokens)):
        segmentation = Segmentation("\n".join(used) + "\n", known)
        ids = None if known is None else {token: number for number, token in enumerate(tokens)}
        for sentence in sentences:
            assert translation.subwords(words(sentence), used, ids) == segmentation.encode(sentence)


@given(st.lists(st.sampled_from(["a", "b@@", "</s>", "zwan@@", "<unk>"]), max_size=8))
def test_ids_are_joined_as_the_library_joins_them(tokens: list[str]) -> None:
    target = ["<unk>", "<s>", "</s>", "a", "b@@", "zwan@@"]
    until_end = tokens[: tokens.index("</s>")] if "</s>" in tokens else tokens
    assert translation.joined([target.index(token) for token in tokens], target) == decode(until_end)
