"""A file that is wrong ends the job that reads it with one line that names it; what an earlier job made stays."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cases import Jobs, Step

from tocompress.runtimes.tensorflow.graph import OUTPUT, WEIGHTS
from tocompress.runtimes.tensorflow.protocol_buffers import GraphDef
from tocompress.schemas.study import IMAGE_PREDICTIONS, QUANTIZATION_SENSITIVITY, SENTENCES, STRUCTURE
from tocompress.settings.evaluation import Scores
from tocompress.tables import write_table
from tocompress.weights import ModelMetadata, write_weights

Make = Callable[[Path], None]


MODEL = {"network": "vgg_16", "build": "own", "data": "set", "checkpoint": "x", "input_size": 32, "classes": 100}
PHRASES = {
    "kind": "number_phrases",
    "codes": "codes.bpe",
    "source_vocabulary": "words.en",
    "target_vocabulary": "words.de",
}
TRANSLATOR = {"network": "gnmt", "build": "own", "data": "set", "checkpoint": "x"}
IMAGENET = {"kind": "imagenet", "images": "val", "labels": "labels.txt"}
WMT = {
    "kind": "wmt", "source": "test.en", "reference": "test.de", "codes": "codes.bpe",
    "source_vocabulary": "words.en", "target_vocabulary": "words.de",
}  # fmt: skip

QUANTIZE = Step(
    "compress.py",
    {"parent": "fp32.safetensors"},
    {"weights": "q8.safetensors", "compression": "q8.parquet"},
    '{"method": "quantize", "bits": 8, "minimum_values": 1}',
    {"variant": "q8"},
)
MIXED = replace(
    QUANTIZE, settings='{"method": "quantize", "bits": [["fc/*", 4], ["*", 3]], "keep": ["first"], "minimum_values": 1}'
)
ON_DATA = {
    "model": MODEL,
    "data": {"kind": "glyphs"},
    "technique": {"method": "quantize", "bits": 4, "correction": "bias", "minimum_values": 1},
    "examples": 2,
    "seed": 1,
}
QUANTIZE_ON_DATA = Step(
    "quantize.py",
    {"parent": "fp32.safetensors", "calibration": "test.npz", "subwords": [], "sensitivity": []},
    {"weights": "q4.safetensors", "compression": "q4.parquet"},
    json.dumps(ON_DATA),
    {"model": "tiny", "variant": "q4"},
)
BUDGET = replace(
    QUANTIZE_ON_DATA,
    input=QUANTIZE_ON_DATA.input | {"sensitivity": ["scan.parquet"]},
    settings=json.dumps(
        ON_DATA | {"technique": {"method": "quantize", "bits": {"budget": 4}, "keep": ["first"], "minimum_values": 1}}
    ),
)
SCAN = Step(
    "quantization_sensitivity.py",
    {"weights": "fp32.safetensors", "calibration": "test.npz", "subwords": []},
    {"table": "scan.parquet"},
    json.dumps({"model": MODEL, "data": {"kind": "glyphs"}, "sensitivity": {"examples": 2}}),
    {"model": "tiny"},
)
PRUNE = Step(
    "prune.py",
    {"parent": "fp32.safetensors", "importance": [], "train": [], "calibration": [], "teacher": []},
    {"weights": "p50.safetensors", "removed": "p50.parquet", "history": "history.parquet"},
    json.dumps(
        {
            "technique": {"method": "prune", "share": 0.5},
            "model": MODEL,
            "data": {"kind": "glyphs"},
            "retraining": None,
        }
    ),
    {"variant": "p50"},
)
RANK = Step(
    "rank.py",
    {"weights": "fp32.safetensors", "calibration": "test.npz"},
    {"importance": "importance.parquet"},
    json.dumps({"model": MODEL, "data": {"kind": "glyphs"}}),
)
EXPORT = Step(
    "export.py",
    {"body": "body.pb", "structure": "structure.parquet", "weights": "fp32.safetensors"},
    {"artifact": "fp32.pb", "facts": "fp32.parquet"},
    '{"runtime": "tensorflow"}',
)
SCORE = Step(
    "score.py",
    {"predictions": "q8.parquet", "baseline": "fp32.parquet", "classes": []},
    {"metrics": "metrics.parquet"},
    json.dumps({"task": "classification", "scores": Scores().model_dump(), "language": None}),
)
GATHER = Step("gather.py", {"shares": ["1-of-2.parquet", "2-of-2.parquet"]}, {"predictions": "all.parquet"})
CLAIMS = Step(
    "claims.py",
    {"study": "study.parquet", "claims": "claims.yaml"},
    {"claims": "claims.parquet"},
    json.dumps({"techniques": {"q8": "quantize"}, "data": {}}),
)
PLOT = Step(
    "plot.py",
    {"study": "study.parquet"},
    {"png": "f.png", "pdf": "f.pdf", "svg": "f.svg", "csv": "f.csv"},
    "{}",
    {"figure": "fig05_motivation"},
)
FIND = Step(
    "find_photographs.py",
    {},
    {"photographs": "test.parquet"},
    json.dumps(IMAGENET),
    {"split": "test", "dataset": "set"},
)
PICTURES = Step(
    "find_pictures.py",
    {},
    {"pictures": "test.parquet"},
    json.dumps({"kind": "folders", "test": "val"}),
    {"split": "test", "dataset": "set"},
)
READ = Step(
    "read_corpus.py",
    {"test": ["test.en", "test.de"], "training": []},
    {"sentences": "test.parquet"},
    json.dumps(WMT | {"text": "tokenized"}),
    {"split": "test", "dataset": "set"},
)
SGM = Step(
    "read_corpus.py",
    {"test": ["test.en.sgm", "test.de.sgm"], "training": []},
    {"sentences": "test.parquet"},
    json.dumps(WMT | {"source": "test.en.sgm", "reference": "test.de.sgm"}),
    {"split": "test", "dataset": "set"},
)
INPUTS = Step(
    "inputs.py",
    {"test": "test.parquet", "facts": []},
    {"inputs": "inputs.npz"},
    json.dumps({"model": TRANSLATOR, "data": PHRASES, "count": 2, "batches": [1]}),
)
IMAGE_INPUTS = Step(
    "inputs.py",
    {"test": "test.npz", "facts": []},
    {"inputs": "inputs.npz"},
    json.dumps({"model": MODEL, "data": {"kind": "glyphs"}, "count": 2, "batches": [1]}),
)


# What is wrong


def written(**files: bytes | str) -> Make:
    """Files, in whose names `__` stands for a dot."""

    def make(folder: Path) -> None:
        for name, content in files.items():
            path = folder / name.replace("__", ".")
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    return make


def folder_called(name: str) -> Make:
    return lambda folder: (folder / name).mkdir()


def absent(folder: Path) -> None:
    pass


def all_of(*makes: Make) -> Make:
    def make(folder: Path) -> None:
        for one in makes:
            one(folder)

    return make


METADATA = ModelMetadata("tiny", "vgg_16", "fp32", trained=True, width=0.1, shape=(32, 32, 3), classes=10)
THREES = np.full((2, 2), 3, np.float32)
KERNEL = np.random.default_rng(1).standard_normal((3, 3, 4, 8)).astype(np.float32)


def weights(change: Callable[[dict[str, Any]], None] | None = None, **tensors: np.ndarray) -> Make:
    """A weights file, and what was changed in its header."""

    def make(folder: Path) -> None:
        path = folder / "fp32.safetensors"
        write_weights(path, {"conv/weights": KERNEL, **tensors}, METADATA)
        if change:
            content = path.read_bytes()
            (size,) = struct.unpack_from("<Q", content)
            header = json.loads(content[8 : 8 + size])
            ours = json.loads(header["__metadata__"]["tocompress"])
            change(ours)
            header["__metadata__"]["tocompress"] = json.dumps(ours)
            text = json.dumps(header).encode()
            path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + size :])

    return make


def cut(name: str, size: int, make: Make) -> Make:
    def shortened(folder: Path) -> None:
        make(folder)
        (folder / name).write_bytes((folder / name).read_bytes()[:size])

    return shortened


def replaced(name: str, old: np.float32, new: np.float32, make: Make) -> Make:
    """A file with one number in the place of another, which no writer of ours would write."""

    def other(folder: Path) -> None:
        make(folder)
        content = (folder / name).read_bytes()
        assert old.tobytes() in content
        (folder / name).write_bytes(content.replace(old.tobytes(), new.tobytes()))

    return other


def body(*shape: int, name: str = "conv/weights") -> Make:
    """The graph of a network with one weight."""

    def make(folder: Path) -> None:
        graph = GraphDef()
        node = graph.node.add(name=WEIGHTS + name, op="Placeholder")
        for size in shape:
            node.attr["shape"].shape.dim.add(size=size)
        graph.node.add(name=OUTPUT, op="Identity", input=[WEIGHTS + name])
        (folder / "body.pb").write_bytes(graph.SerializeToString())
        write_table(folder / "structure.parquet", STRUCTURE, pd.DataFrame({"macs": [1]}))

    return make


def images_predicted(name: str, examples: int, **columns: Any) -> Make:
    rows = {"example": range(examples), "label": 1, "rank": 1, "predicted": 1, "score": 0.5}
    return lambda folder: write_table(folder / name, IMAGE_PREDICTIONS, pd.DataFrame(rows | columns))


def parquet(name: str, **columns: Any) -> Make:
    return lambda folder: pq.write_table(pa.table(columns), folder / name)


def tar(name: str, **files: bytes) -> Make:
    def make(folder: Path) -> None:
        with tarfile.open(folder / name, "w") as archive:
            for called, content in files.items():
                member = tarfile.TarInfo(called.replace("__", "."))
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))

    return make


def photographs_in(*names: str) -> Make:
    def make(folder: Path) -> None:
        for name in names:
            path = folder / "val" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"picture")

    return make


def sentences(**files: str | bytes) -> Make:
    """What a translation model reads, but for some of it."""
    right = {
        "codes__bpe": "#version: 0.2\nl o\n",
        "words__en": "<unk>\n<s>\n</s>\nlo\n",
        "words__de": "<unk>\n<s>\n</s>\nlo\n",
    }

    def make(folder: Path) -> None:
        rows = {
            "example": [0, 1],
            "source": ["lo", "lo lo"],
            "reference": "lo",
            "template": "",
            "plain_reference": None,
        }
        write_table(folder / "test.parquet", SENTENCES, pd.DataFrame(rows))
        written(**(right | files))(folder)

    return make


def npz(**arrays: np.ndarray) -> Make:
    return lambda folder: np.savez(folder / "test.npz", **arrays)


def bomb() -> str:
    lists = "".join(f"x-{n}: &{chr(97 + n)} [{', '.join(f'*{chr(96 + n)}' for _ in range(9))}]\n" for n in range(1, 9))
    return f"x-0: &a [lol]\n{lists}margin: *i\nclaims: *i\n"


def misspell_key(header: dict[str, Any]) -> None:
    header["model"]["netwrok"] = header["model"].pop("network")


def name_another(header: dict[str, Any]) -> None:
    header["order"].append("fc/weights")


def set_bits(header: dict[str, Any]) -> None:
    header["quantized"]["conv/weights"] = {"bits": 99, "shape": [3, 3, 4, 8], "axis": None}


HUGE = struct.pack("<Q", 1 << 62) + b"{}"
NO_WEIGHTS = "fp32.safetensors: not one of this study's weights files"
NO_TABLE = "not a readable Parquet file"
TWO = {"images": np.zeros((2, 8, 8, 3), np.uint8), "labels": np.zeros(2, np.int32)}

CASES: dict[str, tuple[Step, Make, str]] = {
    # Weights
    "weights that are not there": (QUANTIZE, absent, NO_WEIGHTS),
    "weights of zero bytes": (QUANTIZE, written(fp32__safetensors=b""), NO_WEIGHTS),
    "a folder in the place of weights": (QUANTIZE, folder_called("fp32.safetensors"), NO_WEIGHTS),
    "weights cut short": (QUANTIZE, cut("fp32.safetensors", 700, weights()), NO_WEIGHTS),
    "weights with a header of exabytes": (QUANTIZE, written(fp32__safetensors=HUGE), NO_WEIGHTS),
    "weights with a header that is no JSON": (
        QUANTIZE,
        written(fp32__safetensors=b"\4" + bytes(7) + b"{...}"),
        NO_WEIGHTS,
    ),
    "weights of another program": (
        QUANTIZE,
        written(fp32__safetensors=struct.pack("<Q", 2) + b"{}"),
        f"{NO_WEIGHTS} ('tocompress')",
    ),
    "weights without a tensor that they name": (QUANTIZE, weights(name_another), f"{NO_WEIGHTS} ('fc/weights')"),
    "weights of an older version": (QUANTIZE, weights(misspell_key), NO_WEIGHTS),
    "weights of 99 bits": (EXPORT, all_of(body(3, 3, 4, 8), weights(set_bits)), NO_WEIGHTS),
    "weights that are not numbers": (
        QUANTIZE,
        replaced("fp32.safetensors", np.float32(3), np.float32(np.nan), weights(**{"fc/weights": THREES})),
        "fp32.safetensors: fc/weights: holds NaN or infinity in 4 of 4 values",
    ),
    "variances that are none": (
        EXPORT,
        all_of(
            body(3, 3, 4, 8),
            replaced("fp32.safetensors", np.float32(3), np.float32(-3), weights(**{"b/moving_variance": THREES})),
        ),
        "fp32.safetensors: b/moving_variance: holds the variance -3",
    ),
    "bits for kernels that the network lacks": (
        MIXED,
        weights(),
        "fp32.safetensors: bits: 'fc/*' matches none of the 1 kernels to quantize, such as conv/weights",
    ),
    # Graphs
    "a graph that is none": (
        EXPORT,
        all_of(body(1), weights(), written(body__pb=b"graph")),
        "body.pb: not a TensorFlow graph",
    ),
    "a graph cut short": (EXPORT, all_of(cut("body.pb", 20, body(1)), weights()), "body.pb: not a TensorFlow graph"),
    "a graph of another width": (
        EXPORT,
        all_of(body(3, 3, 4, 16), weights()),
        "fp32.safetensors: conv/weights: shape [3, 3, 4, 8], but the network",
    ),
    "a graph of another network": (
        EXPORT,
        all_of(body(1, name="fc/weights"), weights()),
        "fp32.safetensors: the weights lack 1 tensor(s) of the net",
    ),
    # Tables
    "predictions that are not there": (SCORE, absent, f"q8.parquet: {NO_TABLE}"),
    "predictions of zero bytes": (SCORE, written(q8__parquet=b""), f"q8.parquet: {NO_TABLE}"),
    "predictions that are no table": (SCORE, written(q8__parquet=b"example,label\n"), f"q8.parquet: {NO_TABLE}"),
    "a folder in the place of predictions": (SCORE, folder_called("q8.parquet"), f"q8.parquet: {NO_TABLE}"),
    "predictions cut short": (
        SCORE,
        cut("q8.parquet", 900, images_predicted("q8.parquet", 9)),
        f"q8.parquet: {NO_TABLE}",
    ),
    "predictions without labels": (
        SCORE,
        parquet("q8.parquet", example=[1], rank=[1], predicted=[1], score=[0.5]),
        "q8.parquet: a table of image_",
    ),
    "predictions of another type": (
        SCORE,
        parquet("q8.parquet", example=["first"], label=[1], rank=[1], predicted=[1], score=[0.5]),
        "q8.parquet: not a table of image_predictions",
    ),
    "a baseline of fewer examples": (
        SCORE,
        all_of(images_predicted("q8.parquet", 9), images_predicted("fp32.parquet", 8)),
        "q8.parquet: predictions of 9",
    ),
    "a baseline of other labels": (
        SCORE,
        all_of(images_predicted("q8.parquet", 9), images_predicted("fp32.parquet", 9, label=2)),
        "q8.parquet: predictions of 9",
    ),
    "a baseline of translations": (
        SCORE,
        all_of(
            images_predicted("q8.parquet", 1),
            parquet("fp32.parquet", example=[1], reference=["a"], plain_reference=["a"], hypothesis=["a"]),
        ),
        "fp32.parquet: a table of image_predictions lacks",
    ),
    "a share of predictions that is missing": (
        GATHER,
        images_predicted("1-of-2.parquet", 2),
        f"2-of-2.parquet: {NO_TABLE}",
    ),
    "a study of an older version": (
        PLOT,
        parquet("study.parquet", model=["vgg_16"], value=[1.0]),
        "study.parquet: a table of study lacks the column(s)",
    ),
    # Claims
    "claims that are no YAML": (CLAIMS, written(claims__yaml="claims: ["), "claims.yaml: not readable as YAML"),
    "claims that are no mapping": (CLAIMS, written(claims__yaml="- a\n"), "claims.yaml: not a mapping; it holds"),
    "claims that are nothing": (CLAIMS, written(claims__yaml=""), "claims.yaml: not a mapping; it holds"),
    "claims in Latin-1": (CLAIMS, written(claims__yaml="a: é".encode("latin-1")), "claims.yaml: not readable as YAML"),
    "claims that run code": (
        CLAIMS,
        written(claims__yaml="a: !!python/object/apply:os.system [id]\n"),
        "claims.yaml: not readable as YAML",
    ),
    "claims in 10,000 brackets": (
        CLAIMS,
        written(claims__yaml="a: " + "[" * 10_000),
        "claims.yaml: not readable as YAML",
    ),
    "claims that multiply": (CLAIMS, written(claims__yaml=bomb()), "claims.yaml: margin: "),
    "claims with a key twice": (
        CLAIMS,
        written(claims__yaml="margin: {}\nmargin: {}\n"),
        "claims.yaml, line 2: 'margin' stands in line 1 as well",
    ),
    # Photographs
    "photographs that are not there": (FIND, absent, "val: no such file or folder; data's `images` takes"),
    "a folder without photographs": (FIND, folder_called("val"), "val: holds no images; data's `images` takes"),
    "a folder of an unknown synset": (
        FIND,
        photographs_in("n00000001/a.JPEG"),
        "val: 'n00000001' is none of ILSVRC2012's",
    ),
    "photographs without labels": (FIND, photographs_in("a.JPEG"), "labels.txt: not readable"),
    "fewer labels than photographs": (
        FIND,
        all_of(photographs_in("a.JPEG", "b.JPEG"), written(labels__txt="n01440764\n")),
        "val: holds 2 images, but labels.txt 1",
    ),
    "a label that is no number": (
        FIND,
        all_of(photographs_in("a.JPEG"), written(labels__txt="a.JPEG one\n")),
        "labels.txt, row 1: label 'one'; 0..999",
    ),
    "a label beyond the last": (
        FIND,
        all_of(photographs_in("a.JPEG"), written(labels__txt="a.JPEG 1000\n")),
        "labels.txt, row 1: label '1000'; 0..999",
    ),
    "no label of a photograph": (
        FIND,
        all_of(photographs_in("a.JPEG"), written(labels__txt="b.JPEG 1\n")),
        "labels.txt: lacks the label of 1 of the 1",
    ),
    "labels that are nothing": (
        FIND,
        all_of(photographs_in("a.JPEG"), written(labels__txt="")),
        "labels.txt: neither synsets, nor names and labels",
    ),
    "photographs in a tar cut short": (
        FIND,
        cut("val", 700, tar("val", a__JPEG=bytes(900))),
        "val: not a tar archive, or a compressed",
    ),
    "photographs in a compressed tar": (
        FIND,
        written(val=zlib.compress(bytes(2000))),
        "val: not a tar archive, or a compressed",
    ),
    "a record cut short": (
        FIND,
        all_of(
            folder_called("val"),
            lambda folder: (folder / "val/validation-00000-of-00001").write_bytes(b"\x63" + bytes(20)),
        ),
        "val/validation-00000-of-00001: record 0 is not one of TF-Slim's, or damaged",
    ),
    "a record too few": (
        FIND,
        all_of(folder_called("val"), lambda folder: (folder / "val/validation-00000-of-00002").write_bytes(bytes(20))),
        "val: validation-00001-of-00002 is missing",
    ),
    # Pictures in folders
    "pictures that are not there": (PICTURES, absent, "val: not readable as a CSV ([Errno 2] No such file"),
    "a class without pictures": (
        PICTURES,
        all_of(photographs_in("rose/a.JPEG"), folder_called("val/tulip")),
        "val/tulip: holds no pictures; add some, or remove the folder",
    ),
    "a text in a folder of pictures": (
        PICTURES,
        photographs_in("rose/notes.txt", "tulip/a.JPEG"),
        "val: 2 of 2 files are no readable pictures: val/rose/notes.txt, val/tulip/a.JPEG; remove them, or raise",
    ),
    "pictures without folders of classes": (
        PICTURES,
        photographs_in("a.JPEG", "b.JPEG"),
        "val: holds no folders of classes; a folder with a folder for each class, or a CSV",
    ),
    # Sentences
    "sentences that are not there": (READ, absent, "test.en: not readable (No such file or directory); name it right"),
    "sentences that are nothing": (READ, written(test__en="", test__de=""), "test.en: holds no sentences"),
    "sentences without as many translations": (
        READ,
        written(test__en="a\nb\n", test__de="a\n"),
        "test.en: holds 2 sentences, test.de 1",
    ),
    "sentences in Latin-1": (
        READ,
        written(test__en="a\n", test__de="ä\n".encode("latin-1")),
        "test.de: line 1 is not UTF-8",
    ),
    "sentences in UTF-16": (
        READ,
        written(test__en="a\n".encode("utf-16"), test__de="a\n"),
        "test.en: line 1 is not UTF-8",
    ),
    "an empty sentence": (READ, written(test__en="a\n\n", test__de="a\nb\n"), "test.en: sentence 2 is empty"),
    "a sentence that Moses' tokens leave nothing of": (
        replace(READ, settings=json.dumps(WMT)),
        written(test__en="a\n\x01\n", test__de="a\nb\n"),
        "test.en: sentence 2 is empty",
    ),
    "a segment that does not end": (
        SGM,
        written(test__en__sgm="<seg>a</seg><seg>b", test__de__sgm=""),
        "test.en.sgm: not all of its <seg> end",
    ),
    "segments without as many translations": (
        SGM,
        written(test__en__sgm="<seg>a</seg><seg>b</seg>", test__de__sgm="<seg>a</seg>"),
        "test.en.sgm: holds 2 sentences",
    ),
    # Subwords
    "codes that are none": (
        INPUTS,
        sentences(codes__bpe="a b c\n"),
        "codes.bpe: not byte pair encodings, two subwords a line",
    ),
    "codes of an unknown version": (
        INPUTS,
        sentences(codes__bpe="#version: 9\na b\n"),
        "codes.bpe: byte pair encodings of an u",
    ),
    "codes in Latin-1": (INPUTS, sentences(codes__bpe=b"\xe9 a\n"), "codes.bpe: not UTF-8"),
    "a vocabulary that is nothing": (
        INPUTS,
        sentences(words__en=""),
        "words.en: a vocabulary begins with the lines <unk>",
    ),
    "a vocabulary in Latin-1": (INPUTS, sentences(words__de=b"<unk>\n<s>\n</s>\n\xe9\n"), "words.de: not UTF-8"),
    "a word twice in a vocabulary": (
        INPUTS,
        sentences(words__en="<unk>\n<s>\n</s>\nlo\nlo\n"),
        "words.en: 'lo' is given twice; a vocabulary has each",
    ),
    "a test set that is not there": (INPUTS, absent, f"test.parquet: {NO_TABLE}"),
    # Images
    "images that are none": (IMAGE_INPUTS, written(test__npz=b"images"), "test.npz: not a readable set of images"),
    "images that would run code": (
        IMAGE_INPUTS,
        npz(images=np.array([{}], object), labels=np.zeros(1, np.int32)),
        "test.npz: not a readable set of images",
    ),
    "images of floats": (
        IMAGE_INPUTS,
        npz(images=np.zeros((1, 8, 8, 3)), labels=np.zeros(1, np.int32)),
        "test.npz: images are float64 (1, 8, 8, 3)",
    ),
    "fewer labels than images": (
        IMAGE_INPUTS,
        npz(**TWO | {"labels": np.zeros(1, np.int32)}),
        "test.npz: labels are int32 (1,); int32 [2] is needed",
    ),
    "fewer images than inputs": (
        IMAGE_INPUTS,
        npz(**{name: array[:1] for name, array in TWO.items()}),
        "test.npz: holds 1 examples, the benchmark wants 2",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_file_is_refused_in_one_line(name: str, jobs: Jobs, tmp_path: Path) -> None:
    step, make, message = CASES[name]
    make(tmp_path)
    assert message in step.refusal(jobs, tmp_path)


def scanned(tensor: str, *bits: int) -> Make:
    """The scan of a network with one kernel."""
    table = pd.DataFrame({"tensor": tensor, "bits": bits, "divergence": 0.1}, columns=QUANTIZATION_SENSITIVITY.names)
    return lambda folder: write_table(folder / "scan.parquet", QUANTIZATION_SENSITIVITY, table)


OF_LEARNING: dict[str, tuple[Step, Make, str]] = {
    "a budget below the bits of kernels to keep": (
        BUDGET,
        scanned("conv/weights", 2, 8),
        "bits: a budget of 4, but with 1 kernels kept at 8 bits the least mean is 8.00; raise it, or keep fewer",
    ),
    "a scan of another network": (
        BUDGET,
        scanned("fc/weights", 2, 8),
        "bits: the scan of the model has no conv/weights of 8 bits or fewer",
    ),
}


@pytest.mark.parametrize("name", OF_LEARNING)
def test_what_quantization_cannot_learn_from_is_refused_in_one_line(
    name: str, tensorflow_jobs: Jobs, tmp_path: Path
) -> None:
    step, make, message = OF_LEARNING[name]
    all_of(weights(), npz(**TWO), make)(tmp_path)
    assert step.refusal(tensorflow_jobs, tmp_path) == f"fp32.safetensors: {message}"


OF_NETWORKS = {"prune": PRUNE, "rank": RANK, "quantize": QUANTIZE_ON_DATA, "scan": SCAN}


@pytest.mark.parametrize("step", OF_NETWORKS.values(), ids=OF_NETWORKS)
def test_weights_of_another_network_are_refused_in_one_line(step: Step, tensorflow_jobs: Jobs, tmp_path: Path) -> None:
    all_of(weights(), npz(**TWO))(tmp_path)
    message = "fp32.safetensors: the weights lack vgg_16/conv1/conv1_1/weights, a kernel of vgg_16"
    assert step.refusal(tensorflow_jobs, tmp_path) == message
