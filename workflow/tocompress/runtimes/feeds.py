"""From examples to what an artifact's placeholders take, and the fixed inputs of a benchmark."""

from __future__ import annotations

import numpy as np

#: Placeholder -> array.
Feeds = dict[str, np.ndarray]
