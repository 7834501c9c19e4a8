"""This package compresses networks by pruning and by quantization."""
