"""Run a frozen graph on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tocompress.errors import StudyError
from tocompress.runtimes.feeds import EXPORT_AGAIN, NOT_FINITE, Feeds, Run
from tocompress.runtimes.tensorflow.module import tensorflow

if TYPE_CHECKING:
    from tocompress.runtimes.tensorflow.protocol_buffers import GraphDef


@contextmanager
def loaded(artifact: str | Path, threads: int) -> Iterator[Run]:
    """Load a frozen graph, ready to run on feeds. Raise StudyError for a graph that is not this study's.

    A run raises StudyError where a decoder's logits are not finite, which its tokens do not show.
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
                if NOT_FINITE in str(error):
                    raise StudyError(f"{artifact}: {NOT_FINITE}; {EXPORT_AGAIN}") from error
                raise StudyError(f"{artifact}: does not run ({error}); export it again") from error
            return result

        yield run


def _check_decoded_logits(graph: GraphDef) -> None:
    """Make a graph stop where it chooses tokens by logits that are NaN or infinite."""
    choices = [node for node in graph.node if node.op in ("ArgMax", "LogSoftmax")]  # greedily, or of several beams
    for choice in choices:
        check = graph.node.add(name=f"{choice.name}/finite", op="CheckNumerics", input=choice.input[:1])
        check.attr["T"].type = choice.attr["T"].type
        check.attr["message"].s = NOT_FINITE.encode()
        choice.input[0] = check.name
