"""This package solves the translation task, from sentences of one language to sentences of another."""
