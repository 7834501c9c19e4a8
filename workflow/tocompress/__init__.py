"""This package computes the results of the workflow, without Snakemake."""

import atexit
import gc

from tocompress.running import end_with_run

# Other imports can take seconds, so this comes first.
end_with_run()

# TensorFlow and Keras make a million objects that stay to the end. Python would look for garbage among them again and
# again, also at the end, for a third of the time of a short job.
gc.set_threshold(10_000, 50, 100)
atexit.register(gc.freeze)
