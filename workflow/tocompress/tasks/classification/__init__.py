"""Images to classes."""
