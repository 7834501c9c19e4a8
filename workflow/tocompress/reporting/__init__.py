"""This package turns the study's results into one table, its figures and its report."""
