"""This package fetches and checks published checkpoints, and reads them under their original variable names."""
