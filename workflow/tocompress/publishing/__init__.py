"""This package puts a study's results into a zip that is a Workflow Run RO-Crate."""
