"""Make a process that trains or differentiates a network reproducible."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras

#: Rewrites of a graph by TensorFlow before it runs. For a deep network they take longer than they save. The rewrites of
#: functions and loops stay on, since gnmt is slower without them.
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
    """Make this process compute the same bits each time on one machine in as many threads, and start soon.

    Most of these settings are TensorFlow's for the whole process, so they stay afterwards.
    """
    keras.utils.set_random_seed(seed)
    if keras.config.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    tf.config.optimizer.set_experimental_options(dict.fromkeys(_REWRITES, False))
    # Operations that run beside each other change the order in which AddN sums three or more gradients. AddN begins
    # with a gradient whose memory it may reuse, so with one that no other operation still reads.
    with tf.experimental.function_executor_type("SINGLE_THREADED_EXECUTOR"):
        yield
