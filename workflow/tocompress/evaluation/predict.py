"""Run an artifact over a whole test set, batch by batch, on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import softmax

from tocompress.data.pictures import Images, read_pictures
from tocompress.data.sets import read_sentences
from tocompress.errors import StudyError
from tocompress.evaluation.shards import share_of
from tocompress.runtimes.feeds import Feeds, image_feeds, read_subwords, sentence_feeds
from tocompress.runtimes.tensorflow.module import tensorflow
from tocompress.schemas.study import IMAGE_PREDICTIONS, SENTENCE_PREDICTIONS
from tocompress.settings.data import Pictures, Sentences
from tocompress.settings.jobs import PredictJob
from tocompress.settings.model import ImageModel, TranslationModel
from tocompress.tables import write_table
from tocompress.tasks.prefetch import ahead

if TYPE_CHECKING:
    from tocompress.runtimes.tensorflow.protocol_buffers import GraphDef

TOP = 5

_NOT_FINITE = "gives logits that are not finite"
_RIGHT = "export and compress it again"

Run = Callable[[Feeds], np.ndarray]


def predict(
    predictions: str | Path,
    artifact: str | Path,
    test: str | Path,
    settings: PredictJob,
    threads: int,
    share: str = "1-of-1",
) -> None:
    """Run the artifact over a share of the test set in the file `test` and write the table of its predictions."""
    model, data = settings.model, settings.data
    if isinstance(model, ImageModel) and isinstance(data, Pictures):
        images, labels = read_pictures(test, model, data)
        size = settings.prediction.batch_size
        table = predict_images(artifact, images, labels, model, batch_size=size, threads=threads, share=share)
        write_table(predictions, IMAGE_PREDICTIONS, table)
    elif isinstance(model, TranslationModel) and isinstance(data, Sentences):
        sentences, size = read_sentences(test), settings.prediction.sentences
        table = predict_sentences(artifact, sentences, model, data, batch_size=size, threads=threads, share=share)
        write_table(predictions, SENTENCE_PREDICTIONS, table)
    else:
        raise StudyError(f"{test}: {model.network} translates sentences, this data is of kind '{data.kind}'")


def predict_images(
    artifact: str | Path,
    images: Images,
    labels: np.ndarray,
    model: ImageModel,
    *,
    batch_size: int,
    threads: int = 1,
    share: str = "1-of-1",
) -> pd.DataFrame:
    """The `image_predictions` of images with labels int [N]: the five best classes of each of the share's examples.

    Raises StudyError for labels the model has no output for, and for logits that are not finite.
    """
    if labels.size and labels.max() >= model.classes:
        raise StudyError(f"{artifact}: the test set has label {labels.max()}, the model {model.classes} classes")
    tables = []
    batches = share_of(_batches(len(images), batch_size), share)
    with loaded(artifact, threads) as run:
        for batch, feeds in ahead(batches, lambda batch: (batch, image_feeds(images[batch], model, threads))):
            logits = run(feeds)
            expected = (batch.stop - batch.start, model.classes)
            if logits.shape != expected:
                raise StudyError(f"{artifact}: gives logits {logits.shape}, not {expected}; {_RIGHT}")
            if odd := np.flatnonzero(~np.isfinite(logits).all(axis=1)).tolist():
                raise StudyError(f"{artifact}: {_NOT_FINITE} for example {batch.start + odd[0]}; {_RIGHT}")
            tables.append(best_classes(logits, labels[batch], first=batch.start))
            print(f"predicted {batch.stop} of {len(images)} examples", flush=True)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=IMAGE_PREDICTIONS.names)


def predict_sentences(
    artifact: str | Path,
    sentences: pd.DataFrame,
    model: TranslationModel,
    data: Sentences,
    *,
    batch_size: int,
    threads: int = 1,
    share: str = "1-of-1",
) -> pd.DataFrame:
    """The `sentence_predictions` of the share's part of a table of the schema `sentences`, in batches of its order.

    As in tensorflow/nmt, the longest source of a batch limits the length of all its translations. References are
    tokens, as translations are. Raises StudyError for logits that are not finite, and for ids of no target subword.
    """
    subwords = read_subwords(model, data)
    tables = []
    with loaded(artifact, threads) as run:
        for batch in share_of(_batches(len(sentences), batch_size), share):
            part = sentences.iloc[batch]
            ids = run(sentence_feeds(part["source"].tolist(), subwords))
            _check_ids(artifact, ids, batch, len(subwords.target))
            translated = part[["example", "plain_reference"]].assign(
                reference=part["reference"].map(subwords.reference),
                hypothesis=[subwords.translation(row) for row in ids],
            )
            tables.append(translated)
            print(f"predicted {batch.stop} of {len(sentences)} examples", flush=True)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=SENTENCE_PREDICTIONS.names)


def _check_ids(artifact: str | Path, ids: np.ndarray, batch: slice, vocabulary: int) -> None:
    """Raise StudyError unless each sentence of the batch has a row of ids of a vocabulary of so many subwords."""
    sentences = batch.stop - batch.start
    if ids.ndim != 2 or len(ids) != sentences or ids.dtype.kind != "i":
        raise StudyError(f"{artifact}: gives {ids.dtype} {ids.shape}, not token ids of {sentences} sentences; {_RIGHT}")
    unknown = (ids < 0) | (ids >= vocabulary)
    if odd := np.flatnonzero(unknown.any(axis=1)).tolist():
        raise StudyError(
            f"{artifact}: gives the token {ids[unknown][0]} for example {batch.start + odd[0]}, but there are"
            f" {vocabulary} target subwords; {_RIGHT}"
        )


def best_classes(logits: np.ndarray, labels: np.ndarray, *, first: int = 0) -> pd.DataFrame:
    """The `image_predictions` of logits [N, classes], examples numbered from `first`; ties go to the lower class."""
    best = np.argsort(-logits, axis=1, kind="stable")[:, :TOP]
    scores = np.take_along_axis(softmax(logits.astype(np.float64), axis=1), best, axis=1)
    number, ranks = best.shape
    return pd.DataFrame(
        {
            "example": np.repeat(np.arange(first, first + number), ranks),
            "label": np.repeat(labels.astype(np.int64), ranks),
            "rank": np.tile(np.arange(1, ranks + 1), number),
            "predicted": best.ravel(),
            "score": scores.ravel(),
        }
    )


@contextmanager
def loaded(artifact: str | Path, threads: int) -> Iterator[Run]:
    """A frozen graph, ready to run on feeds (placeholder -> array); a StudyError where it is none of ours.

    Where a decoder's logits are not finite, which its tokens do not tell, a run is a StudyError too.
    """
    tf = tensorflow()
    from tocompress.runtimes.tensorflow.graph import read_graph

    definition = read_graph(artifact)
    _check_decoded_logits(definition)
    try:
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(definition, name="")
        output = graph.get_tensor_by_name("output:0")
    except (ValueError, KeyError, tf.errors.OpError) as error:
        raise StudyError(f"{artifact}: not one of this study's frozen graphs ({error}); export it again") from error
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=1)
    with tf.compat.v1.Session(graph=graph, config=config) as session:

        def run(feeds: Feeds) -> np.ndarray:
            try:
                result: np.ndarray = session.run(output, {f"{name}:0": array for name, array in feeds.items()})
            except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
                if _NOT_FINITE in str(error):
                    raise StudyError(f"{artifact}: {_NOT_FINITE}; {_RIGHT}") from error
                raise StudyError(f"{artifact}: does not run ({error}); export it again") from error
            return result

        yield run


def _check_decoded_logits(graph: GraphDef) -> None:
    """Have a graph stop where what it chooses tokens by is NaN or infinite."""
    choices = [node for node in graph.node if node.op in ("ArgMax", "LogSoftmax")]  # greedily, or of several beams
    for choice in choices:
        check = graph.node.add(name=f"{choice.name}/finite", op="CheckNumerics", input=choice.input[:1])
        check.attr["T"].type = choice.attr["T"].type
        check.attr["message"].s = _NOT_FINITE.encode()
        choice.input[0] = check.name


def _batches(examples: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, examples)) for start in range(0, examples, size)]
