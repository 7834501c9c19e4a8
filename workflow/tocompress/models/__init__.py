"""The eleven networks as Keras 3 functions, and the facts about them."""
