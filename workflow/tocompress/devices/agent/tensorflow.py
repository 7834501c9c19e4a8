"""TensorFlow as the runtime: a frozen graph in a session, from version 1.15 on.

`__main__.RUNTIMES` describes the interface of this module.
"""

import os
import re
import sys
import time
from typing import Any, Dict, Iterator, Tuple

from tocompress.devices.agent.host import AgentError, Record, one_line


def load() -> Record:
    """Import TensorFlow. Return its version, numpy's version, and the seconds of the import."""
    # Only graphs are run here, so Keras is kept out of `import tensorflow`.
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    begin = time.monotonic()
    try:
        import numpy as np
        import tensorflow.compat.v1 as tf
    except ImportError as error:
        raise AgentError(
            f"{sys.executable} cannot import TensorFlow ({one_line(error)}); install it there, or name another"
            " interpreter in the config's `devices`"
        ) from error

    tf.logging.set_verbosity(tf.logging.ERROR)
    return {"numpy": np.__version__, "tensorflow": tf.__version__, "import_s": time.monotonic() - begin}


class Network:
    """An artifact in a session, with the feeds of its inputs."""

    def __init__(self, command: Record, feeds: Dict[str, Dict[str, Any]]) -> None:
        import tensorflow.compat.v1 as tf

        definition = tf.GraphDef()
        with open(command["artifact"], "rb") as file:
            definition.ParseFromString(file.read())
        graph = tf.Graph()
        with graph.as_default():
            tf.import_graph_def(definition, name="")
        self._session = tf.Session(graph=graph, config=_configuration(command))
        if command["processor"] == "gpu" and not self._has_gpu():
            raise AgentError("this TensorFlow finds no GPU; set the device's processor to cpu")
        self._output = graph.get_tensor_by_name("output:0")
        self._feeds = {
            input_id: {graph.get_tensor_by_name(name + ":0"): value for name, value in feed.items()}
            for input_id, feed in feeds.items()
        }

    def _has_gpu(self) -> bool:
        return any(device.device_type == "GPU" for device in self._session.list_devices())

    def run(self, input_id: str) -> Any:
        """Return the output for one input. `make_callable` would save nothing, because it calls `run` for feeds."""
        return self._session.run(self._output, self._feeds[input_id])

    def profile(self, input_id: str) -> Record:
        """Run once with a trace. Return its operations, their types and seconds, as columns."""
        import tensorflow.compat.v1 as tf

        options, metadata = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE), tf.RunMetadata()
        self._session.run(self._output, self._feeds[input_id], options=options, run_metadata=metadata)
        return _operation_times(metadata.step_stats)


def _configuration(command: Record) -> Any:
    """Return the session's options. Without constant folding every inference dequantizes integer weights again."""
    import tensorflow.compat.v1 as tf
    from tensorflow.core.protobuf import rewriter_config_pb2

    configuration = tf.ConfigProto(
        intra_op_parallelism_threads=command["threads"], inter_op_parallelism_threads=command["inter_op_threads"]
    )
    if command["processor"] == "gpu":
        # Otherwise TensorFlow takes all memory at once, and the footprint is the pool's size.
        configuration.gpu_options.allow_growth = True
    else:
        configuration.device_count["GPU"] = 0
    if command["dequantization"] == "every_inference":
        options = configuration.graph_options
        options.rewrite_options.constant_folding = rewriter_config_pb2.RewriterConfig.OFF
        options.optimizer_options.opt_level = tf.OptimizerOptions.L0
    return configuration


def _operation_times(step_stats: Any) -> Record:
    """Return the seconds by (name, type), summed over the executions of one run. A loop's body has many."""
    seconds: Dict[Tuple[str, str], float] = {}
    for name, kind, nanoseconds in _executions(step_stats):
        seconds[name, kind] = seconds.get((name, kind), 0.0) + 1e-9 * nanoseconds
    return {
        "operation": [name for name, _ in seconds],
        "type": [kind for _, kind in seconds],
        "duration_s": list(seconds.values()),
    }


def _executions(step_stats: Any) -> Iterator[Tuple[str, str, int]]:
    """Yield the name, type and nanoseconds of each execution. On a GPU the kernels count, not their launches."""
    on_gpu = any(device.device.endswith("/stream:all") for device in step_stats.dev_stats)
    for device in step_stats.dev_stats:
        kernels = device.device.endswith("/stream:all")
        if on_gpu and not kernels and "gpu" in device.device.lower():
            continue  # launches, or operations that `stream:all` already has
        if device.device.startswith("/host:"):
            continue  # TensorFlow 1.15 lists all operations again here, without times
        for node in device.node_stats:
            nanoseconds = node.op_end_rel_nanos - node.op_start_rel_nanos
            if kernels:  # called `name:type`
                name, _, kind = node.node_name.partition(":")
                yield name, kind.partition(":")[0] or name, nanoseconds
            else:
                match = re.search(r"= ([\w.]+)\(", node.timeline_label)
                yield node.node_name, match.group(1) if match else node.node_name, nanoseconds
