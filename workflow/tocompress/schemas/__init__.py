"""The schema of every table between two stages, a module a stage, so that a job depends on its own stage's only."""
