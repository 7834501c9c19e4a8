"""This package runs artifacts over their test sets and scores the predictions."""
