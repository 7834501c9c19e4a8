"""This package computes the results of the workflow, without Snakemake."""

from tocompress.running import end_with_run

# Other imports can take seconds, so this comes first.
end_with_run()
