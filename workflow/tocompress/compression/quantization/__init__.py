"""This package stores weights on grids of fewer bits (paper, section II-A)."""
