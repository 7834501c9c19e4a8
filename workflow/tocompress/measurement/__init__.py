"""From blocks run on a device to tables of samples, and from those to values with their intervals."""
