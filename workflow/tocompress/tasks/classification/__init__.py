"""This package solves the classification task, from images to classes."""
