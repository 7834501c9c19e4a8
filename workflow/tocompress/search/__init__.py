"""This package searches a space of configurations for one that meets requirements at the least cost."""
