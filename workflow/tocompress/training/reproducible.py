"""What every process that trains or differentiates a network settles first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras

#: What TensorFlow does to a graph before it runs. For a deep network all of it takes longer than it saves; what is left
#: on, of functions and loops, gnmt is slower without.
_REWRITES = (
    "arithmetic_optimization",
    "common_subgraph_elimination",
    "constant_folding",
    "dependency_optimization",
    "layout_optimizer",
    "remapping",
    "shape_optimization",
)


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Within it, this process computes the same bits each time, on one machine in as many threads; and starts soon.

    Most of it is TensorFlow's for the whole process, and stays.
    """
    keras.utils.set_random_seed(seed)
    if keras.config.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    tf.config.optimizer.set_experimental_options(dict.fromkeys(_REWRITES, False))
    # Operations that run beside each other change the order in which AddN sums three gradients or more: it begins with
    # one whose memory it may reuse, so with one that nobody else is reading any more.
    with tf.experimental.function_executor_type("SINGLE_THREADED_EXECUTOR"):
        yield
