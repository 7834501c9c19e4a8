"""This package trains and retrains networks."""
