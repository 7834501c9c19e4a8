"""The tasks that networks solve, each in a folder with the same words.

`inputs` makes what a network takes, `batches` what it learns from, `network` builds it, `predictions` runs an artifact
over a test set, and `scores` judges the predictions.
"""
