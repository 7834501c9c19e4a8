"""This package defines the names that all stages share: metrics, figures, operations, variants and networks."""
