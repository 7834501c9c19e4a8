"""Whether LiteRT's artifacts compute what TensorFlow's do, for every variant of a study that both can hold.

    PYTHONPATH=workflow python benchmarks/litert_equal.py [model ...]

Reads the weights, the graphs and the test sets of results/default, and writes nothing. The differences of a
classifier's logits are in standard deviations of the logits, over all images, and should be at most 1e-4. They are the
largest on the few images whose activations explode in the zoo's deep ResNets, where they reach 1.2e-4. Translations
should be the same. Networks of full size run on twenty images.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np
import yaml

from tocompress.data.pictures import network_input, read_pictures
from tocompress.data.sets import read_sentences
from tocompress.errors import StudyError
from tocompress.paths import Paths
from tocompress.runtimes.feeds import Feeds
from tocompress.runtimes.litert import session as litert
from tocompress.runtimes.litert.body import trace
from tocompress.runtimes.litert.export import write_artifact
from tocompress.runtimes.tensorflow import session as tensorflow
from tocompress.runtimes.tensorflow.graph import read_graph
from tocompress.schemas.study import PLACES, STRUCTURE
from tocompress.settings.study import Study, load
from tocompress.tables import read_table, write_table
from tocompress.tasks.translation.inputs import read_subwords, sentence_feeds
from tocompress.weights import read_metadata

PATHS = Paths("results/default")
BATCH, SENTENCES, FULL_SIZE = 50, 32, 20


def batches(study: Study, model: str) -> Iterator[Feeds]:
    """The test set of a model, as its predictions take it."""
    settings = study.models[model]
    data = study.data[settings.data]
    if settings.task == "translation":
        sentences = read_sentences(PATHS.sentences.format(dataset=settings.data, split="test"))["source"].tolist()
        subwords = read_subwords(settings, data)
        for start in range(0, len(sentences), SENTENCES):
            yield sentence_feeds(sentences[start : start + SENTENCES], subwords)
        return
    images, _ = read_pictures(PATHS.images.format(dataset=settings.data, split="test"), settings, data)
    if settings.build == "initial":
        images = images[:FULL_SIZE]
    for start in range(0, len(images), BATCH):
        yield {"input": network_input(images[start : start + BATCH], settings)}


def exported(model: str, variant: str, structure: str, folder: Path) -> Path:
    """The artifact of a variant, whose structure is converted where it is new."""
    weights = PATHS.weights.format(model=model, variant=variant)
    body, places, artifact = (folder / f"{structure}.{end}" for end in ("body", "places", "tflite"))
    if not body.exists():
        graph = read_graph(PATHS.body.format(model=model, structure=structure))
        content, table = trace(read_metadata(weights), graph)
        body.write_bytes(content)
        write_table(places, PLACES, table)
    facts = read_table(PATHS.structure.format(model=model, structure=structure), STRUCTURE)
    write_artifact(body, places, weights, artifact, facts)
    return artifact


def compare(graph: str, artifact: Path, study: Study, model: str) -> str:
    """How far the outputs of two artifacts are apart, in words."""
    with tensorflow.loaded(graph, 2) as expected, litert.loaded(artifact, 2) as found:
        pairs = [(expected(dict(feeds)), found(dict(feeds))) for feeds in batches(study, model)]
    if study.models[model].task == "translation":
        same = [np.array_equal(*rows) for one, other in pairs for rows in zip(one, other, strict=True)]
        return f"{sum(same)} of {len(same)} translations the same"
    one, other = (np.concatenate(side) for side in zip(*pairs, strict=True))
    agreement = np.mean(one.argmax(axis=1) == other.argmax(axis=1))
    difference = (one - other) / one.std()
    size = f"at most {np.abs(difference).max():.1e}, rms {np.sqrt(np.square(difference).mean()):.1e}"
    return f"logits apart by {size}; the same best class for {agreement:.4f}"


def variants(study: Study, model: str) -> Iterator[tuple[str, str]]:
    """The variants that both runtimes hold, and the structure of each."""
    for variant in study.variants(model):
        graph = PATHS.artifact("tensorflow").format(model=model, variant=variant)
        if not Path(graph).exists() or study.refusal("litert", model, variant):
            continue
        own = Path(PATHS.body.format(model=model, structure=variant)).exists()
        yield variant, variant if own else variant.rpartition("-")[0] or "fp32"


def main(study: Study, models: list[str]) -> None:
    for model in models or study.study.models:
        with TemporaryDirectory() as folder:
            for variant, structure in variants(study, model):
                graph = PATHS.artifact("tensorflow").format(model=model, variant=variant)
                try:
                    artifact = exported(model, variant, structure, Path(folder))
                    sizes = f"{os.path.getsize(graph) / 1e3:9.0f} KB{artifact.stat().st_size / 1e3:9.0f} KB"
                    result = f"{sizes}  {compare(graph, artifact, study, model)}"
                except StudyError as error:
                    result = str(error)
                print(f"{model:18}{variant:8}{result}", flush=True)


if __name__ == "__main__":
    main(load(yaml.safe_load(Path("config.yaml").read_text())), sys.argv[1:])
