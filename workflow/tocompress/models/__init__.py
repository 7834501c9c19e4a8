"""This package builds the eleven networks in Keras 3 and holds the facts about them."""
