"""The types of an artifact's inputs and runs, and the messages about wrong outputs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

#: The array of each placeholder.
Feeds = dict[str, np.ndarray]

#: Maps feeds to the output: logits float32 [B, classes], or token ids int32 [B, T].
Run = Callable[[Feeds], np.ndarray]

NOT_FINITE = "gives logits that are not finite"
EXPORT_AGAIN = "export and compress it again"
