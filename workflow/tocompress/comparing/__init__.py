"""Compare two studies: whether they are comparable, and how each value differs."""
