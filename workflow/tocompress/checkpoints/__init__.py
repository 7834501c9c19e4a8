"""Check, unpack and read published checkpoints under their original variable names."""
