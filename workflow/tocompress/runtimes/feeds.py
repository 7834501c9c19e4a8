"""The inputs of an artifact, and the words for what is wrong with its outputs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

#: Placeholder -> array.
Feeds = dict[str, np.ndarray]

#: From feeds to the output: logits float32 [B, classes], or token ids int32 [B, T].
Run = Callable[[Feeds], np.ndarray]

NOT_FINITE = "gives logits that are not finite"
EXPORT_AGAIN = "export and compress it again"
