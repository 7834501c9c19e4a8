"""This package holds the tasks that networks solve. Each task is a folder with the same modules.

`inputs` makes the inputs of a network, and `batches` makes its training data. `network` builds it. `predictions` runs
an artifact over a test set, and `scores` judges the predictions.
"""
