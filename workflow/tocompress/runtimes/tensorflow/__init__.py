"""This package runs artifacts in TensorFlow: frozen graphs that dequantize weights at every inference or once."""
