"""Published checkpoints: fetched, checked, unpacked, and read under their original variable names."""
