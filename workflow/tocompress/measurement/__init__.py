"""This package measures blocks of inferences on a device, and turns the samples into values with their intervals."""
