"""The files of a bundle's program: one for each task, its `run.py`, and one for each runtime, its `runtime.py`."""
