"""Quantize a LiteRT model of floats by the default recipe of ai-edge-quantizer, in an environment that has it.

    python benchmarks/peer_quantizer.py fp32.tflite calibration.npy i8.tflite

The calibration is float32 [N, 1, size, size, 3]. The model takes and gives floats, as this project's does.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from ai_edge_quantizer import quantizer, recipe
from ai_edge_quantizer.algorithm_manager import AlgorithmName
from ai_edge_quantizer.qtyping import TFLOperationName

SIGNATURE = "serving_default"


def main(floats: str, calibration: str, integers: str) -> None:
    peer = quantizer.Quantizer(floats, recipe.static_wi8_ai8())
    for border in (TFLOperationName.INPUT, TFLOperationName.OUTPUT):
        peer.update_quantization_recipe(".*", border, algorithm_key=AlgorithmName.NO_QUANTIZE)
    ranges = peer.calibrate({SIGNATURE: [{"input": image} for image in np.load(calibration)]})
    Path(integers).write_bytes(peer.quantize(ranges).quantized_model)


if __name__ == "__main__":
    main(*sys.argv[1:])
