"""What the workflow computes, without Snakemake."""

from tocompress.running import end_with_run

# Before anything else is imported, which alone can take seconds.
end_with_run()
