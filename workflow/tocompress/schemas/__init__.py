"""Declare the schema of every table between stages. One module per stage keeps a job's dependencies small."""
