"""TensorFlow: an artifact is a frozen graph, whose weights are dequantized at every inference or once."""
