"""Import Keras without the packages that it imports only to draw pictures and to be wrapped for scikit-learn.

A job imports this before all else of this package that imports Keras. The two packages take more than a second, and
Keras does without a package that is not installed.
"""

from __future__ import annotations

import sys

__all__ = ["keras"]

_NOT_USED = {"matplotlib", "sklearn"} - sys.modules.keys()

sys.modules.update(dict.fromkeys(_NOT_USED))  # type: ignore[arg-type]  # None stands for: not installed
import keras  # noqa: E402

for _name in _NOT_USED:
    del sys.modules[_name]
