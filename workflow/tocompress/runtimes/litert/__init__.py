"""This package runs artifacts in LiteRT: flatbuffers with weights in floats or integers, and arithmetic in either."""
