"""This package records how each result was made, and verifies that code, files and records still agree."""
