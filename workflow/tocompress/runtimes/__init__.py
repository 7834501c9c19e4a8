"""The runtimes that execute artifacts, each in a folder with the same words: export, session, operations."""
