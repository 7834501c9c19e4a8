"""This package holds the schema of every table between two stages."""
