"""This package makes and reads the datasets: images, photographs and pairs of sentences."""
