"""Readers of files take any damage well: what they read, or one line; no other exception, no hang, no flood."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io
from cases import REPOSITORY
from crafted import tar
from mutations import Readers, bounded_memory, check_damage, chosen_seed
from PIL import Image

from tocompress.compression.quantization.grid import quantize_weights
from tocompress.data.folders import pictures
from tocompress.data.imagenet import photographs
from tocompress.data.imagenet_labels import read_labels
from tocompress.data.photographs import Photographs, PictureFiles
from tocompress.data.sets import read_images
from tocompress.data.subwords import Segmentation, Vocabulary, learn
from tocompress.data.wmt import corpus
from tocompress.errors import StudyError
from tocompress.runtimes.tensorflow.graph import OUTPUT, add_constant, read_graph
from tocompress.runtimes.tensorflow.protocol_buffers import GraphDef
from tocompress.schemas.study import PHOTOGRAPHS
from tocompress.settings.claims import load as load_claims
from tocompress.settings.data import Folders, ImageNet, Preprocessing, Wmt
from tocompress.tables import columns, read_table, write_table
from tocompress.weights import ModelMetadata, read_metadata, read_shapes, read_weights, write_weights


def _table(folder: Path) -> list[bytes]:
    rows = {"example": [0, 1], "file": ["a.tar", "b.tar"], "offset": [512, 0], "size": [10, 20], "label": [3, 999]}
    write_table(folder / "table", PHOTOGRAPHS, pd.DataFrame(rows))
    return [(folder / "table").read_bytes()]


def _read_table(path: Path) -> object:
    return columns(path), read_table(path, PHOTOGRAPHS)


def _weights(folder: Path) -> list[bytes]:
    kernel = np.random.default_rng(1).standard_normal((3, 3, 4, 40)).astype(np.float32)
    weights = {"conv/weights": kernel, "conv/biases": np.zeros(40, np.float32)}
    metadata = ModelMetadata("tiny", "vgg_16", "fp32", trained=True, width=0.1, shape=(32, 32, 3), classes=10)
    contents = []
    for made in (weights, quantize_weights(weights, 6, "channel")[0]):
        write_weights(folder / "weights", made, metadata)
        contents.append((folder / "weights").read_bytes())
    return contents


def _read_weights(path: Path) -> object:
    return read_metadata(path), read_shapes(path), read_weights(path)


def _images(folder: Path) -> list[bytes]:
    file = io.BytesIO()
    np.savez_compressed(file, images=np.zeros((4, 8, 8, 3), np.uint8), labels=np.arange(4, dtype=np.int32))
    return [file.getvalue()]


def _pictures(folder: Path) -> list[bytes]:
    pixels = np.random.default_rng(2).integers(0, 256, (20, 30, 3), np.uint8)
    contents = []
    for mode, kind in (("RGB", "JPEG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("RGBA", "PNG"), ("P", "PNG")):
        file = io.BytesIO()
        Image.fromarray(pixels).convert(mode).save(file, kind)
        contents.append(file.getvalue())
    return contents


def _read_picture(path: Path) -> object:
    index = pd.DataFrame({"file": [str(path)], "offset": [0], "size": [path.stat().st_size]})
    return Photographs(index).augmented((32, 32, 3), "inception", np.random.default_rng(1))


def _tar(folder: Path) -> list[bytes]:
    pictures = tar(("a.JPEG", b"picture"), ("b.JPEG", b"picture"), mode="w")
    return [tar(("n01440764.tar", pictures), ("n02105855.tar", pictures), mode="w")]


def _record(folder: Path) -> list[bytes]:
    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    def feature(name: bytes, kind: int, value: bytes) -> bytes:
        return field(1, field(1, name) + field(2, field(kind, value)))

    label = feature(b"image/class/label", 3, bytes([1 << 3, 1]))
    synset = feature(b"image/class/synset", 1, field(1, b"n01440764"))
    example = field(1, label + synset + feature(b"image/encoded", 1, field(1, b"picture")))
    return [2 * (struct.pack("<Q", len(example)) + bytes(4) + example + bytes(4))]


def _test_photographs(path: Path) -> object:
    return photographs(ImageNet(kind="imagenet", images=str(path), training=str(path), calibration=1), "train")


def _test_record(path: Path) -> object:
    return photographs(ImageNet(kind="imagenet", images=str(path.parent)), "test")


def _labels(folder: Path) -> list[bytes]:
    texts = ("n01440764\nn02105855\n", "a.JPEG 7\nb.JPEG 999\n", "file,synset\na.JPEG,n01440764\n", "file,label\na,1\n")
    return [text.encode() for text in texts]


def _devkit(folder: Path) -> list[bytes]:
    names = np.dtype([("ILSVRC2012_ID", "O"), ("WNID", "O"), ("num_children", "O")])
    synsets = np.array([(1, "n01440764", 0), (2, "n02105855", 0)], names)
    meta = io.BytesIO()
    scipy.io.savemat(meta, {"synsets": synsets}, do_compression=True)  # SciPy crashes on damage to what is not
    synset_table = b"MATLAB 5.0 MAT-file".ljust(116) + meta.getvalue()[116:]  # SciPy's header tells the time
    files = {"meta.mat": synset_table, "ILSVRC2012_validation_ground_truth.txt": b"1\n2\n"}
    members = [(f"ILSVRC2012_devkit_t12/data/{name}", content) for name, content in files.items()]
    return [tar(*members, mode="w"), tar(*members)]


def _sgm(folder: Path) -> list[bytes]:
    lines = "".join(f'<seg id="{number}">A &amp; {number}th se&#110;tence.</seg>\n' for number in range(1, 4))
    return [f'<refset setid="newstest"><doc sysid="ref"><p>\n{lines}</p></doc></refset>\n'.encode()]


def _text(folder: Path) -> list[bytes]:
    return ["Ein Satz .\nNoch einer , länger .\nUnd einer\n".encode()]


def _corpus(path: Path) -> object:
    settings = Wmt(
        kind="wmt", source="s", reference="r", codes="c", source_vocabulary="v", target_vocabulary="v", text="tokenized"
    )
    return corpus(settings, {"source": path, "reference": path}, "test")


def _codes(folder: Path) -> list[bytes]:
    return [learn(["low lower lowest", "new newer newest", "wide wider widest"], 10).encode()]


def _read_codes(path: Path) -> object:
    vocabulary = Vocabulary(("<unk>", "<s>", "</s>", "lo@@", "w@@", "er", "e@@", "st"))
    return [Segmentation.read(path, known).encode("lower newest widow") for known in (None, vocabulary)]


def _vocabulary(folder: Path) -> list[bytes]:
    return ["<unk>\n<s>\n</s>\nthe\nüber@@\nof\n".encode()]


def _claims(folder: Path) -> list[bytes]:
    head, *claims = (REPOSITORY / "config/claims.yaml").read_text(encoding="utf-8").split("\n  - id: ")
    _, margin = head.split("\nmargin:")
    odd = "x-odd: [&a [1, 2.5, null, true], *a, 2001-01-01, !!binary aGk=, !!float 3, 0x1F, {<<: {b: c}}]"
    return ["\n  - id: ".join([f"{odd}\nmargin:{margin}", *claims[:1]]).encode()]


def _read_claims(path: Path) -> object:
    bits, shares = ("16", "8", "6"), ("05", "15", "30", "50", "75")
    techniques = {f"q{number}": "quantize" for number in bits} | {f"p{number}": "prune" for number in shares}
    return load_claims(path, techniques)


def _any_pictures(folder: Path) -> list[bytes]:
    pixels = Image.fromarray(np.random.default_rng(3).integers(0, 256, (20, 30, 3), np.uint8))
    note = Image.Exif()
    note[0x0112] = 6
    contents = []
    for mode, kind in (("RGB", "JPEG"), ("RGBA", "WEBP"), ("RGB", "BMP"), ("P", "GIF"), ("LA", "PNG")):
        file = io.BytesIO()
        pixels.convert(mode).save(file, kind, **({} if kind in ("BMP", "GIF") else {"exif": note}))
        contents.append(file.getvalue())
    return contents


def _read_any_picture(path: Path) -> object:
    files = PictureFiles(np.array([str(path)], object), Preprocessing(scale=(0, 1)))
    return files.network_input((8, 8, 3), None)


def _csv_of_pictures(folder: Path) -> list[bytes]:
    for name in ("a.png", "b.png", "c.png"):
        Image.new("RGB", (3, 2)).save(folder / name)
    return [b'file,label\n../a.png,rose\n"../b.png",tulip\n../c.png,rose,\n']


def _read_csv_of_pictures(path: Path) -> object:
    return pictures(Folders(kind="folders", test=str(path)), "test")


def _graph(folder: Path) -> list[bytes]:
    graph = GraphDef()
    add_constant(graph, OUTPUT, np.arange(10, dtype=np.float32))
    return [graph.SerializeToString()]


READERS: Readers = {
    "table": (_read_table, "table.parquet", _table),
    "weights": (_read_weights, "fp32.safetensors", _weights),
    "images": (read_images, "test.npz", _images),
    "picture": (_read_picture, "picture.JPEG", _pictures),
    "picture in a folder": (_read_any_picture, "picture.jpg", _any_pictures),
    "CSV of pictures": (_read_csv_of_pictures, "labels.csv", _csv_of_pictures),
    "tar": (_test_photographs, "train.tar", _tar),
    "record": (_test_record, "validation-00000-of-00001", _record),
    "labels": (lambda path: read_labels(str(path)), "labels.txt", _labels),
    "devkit": (lambda path: read_labels(str(path)), "devkit.tar.gz", _devkit),
    "sgm": (_corpus, "newstest.sgm", _sgm),
    "text": (_corpus, "newstest.de", _text),
    "codes": (_read_codes, "codes.bpe", _codes),
    "vocabulary": (Vocabulary.read, "vocabulary.en", _vocabulary),
    "claims": (_read_claims, "claims.yaml", _claims),
    "graph": (read_graph, "fp32.pb", _graph),
}


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused(name: str, tmp_path: Path) -> None:
    check_damage(*READERS[name], tmp_path, count=300)


@pytest.mark.long
@pytest.mark.parametrize("name", READERS)
def test_no_damage_at_all_is_taken_ill(name: str, tmp_path: Path) -> None:
    check_damage(*READERS[name], tmp_path, count=1000, seed=chosen_seed())


def test_a_text_that_looks_like_the_start_of_an_lzma_archive_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes(b"f" + b"\xff" * 13)  # LZMA would make a dictionary of 4 GiB
    with bounded_memory(), pytest.raises(StudyError, match=r"labels\.txt: not a text"):
        read_labels(str(tmp_path / "labels.txt"))
