"""Turn blocks on a device into tables of samples, and samples into values with their intervals."""
