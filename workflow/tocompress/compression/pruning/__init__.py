"""This package removes the least important filters and units of a network (paper, section II-B)."""
