"""This package holds the runtimes that execute artifacts. Each has the modules export, session and operations."""
