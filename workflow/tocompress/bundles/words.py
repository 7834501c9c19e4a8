"""Tell techniques in words."""

from __future__ import annotations

from tocompress.settings.technique import Budget, Prune, Quantize, Technique

_CRITERIA = {
    "l1": "the sum of the sizes of their weights",
    "l2": "the norm of their weights",
    "taylor": "the loss without them",
    "random": "chance",
}


def in_words(technique: Technique) -> str:
    """Return a sentence of a technique's main settings."""
    return _quantization(technique) if isinstance(technique, Quantize) else _pruning(technique)


def _quantization(technique: Quantize) -> str:
    bits = technique.bits
    if isinstance(bits, int):
        stored = f"{bits} bits" if technique.type == "integer" else f"floats of {bits} bits"
    else:
        stored = f"{bits.budget:g} bits on average" if isinstance(bits, Budget) else "bits by the names of tensors"
    grid = f", with a grid for each {technique.granularity}" if technique.type == "integer" else ""
    options = f" ({technique.options_in_words})" if technique.options_in_words else ""
    activations = {
        None: "Activations are floats.",
        8: "Activations are integers of 8 bits, in ranges of the calibration set.",
        "dynamic": "Activations are integers of 8 bits, in ranges that each inference finds.",
    }[technique.activations]
    return f"Weights are quantized to {stored}{grid}{options}. {activations}"


def _pruning(technique: Prune) -> str:
    scope = "the whole network" if technique.ranking == "global" else "each layer"
    share, criterion = f"{100 * technique.share:g} %", _CRITERIA[technique.criterion]
    removed = f"{share} of the removable filters or units of {scope} are removed, ranked by {criterion}"
    cuts = f", in {technique.rounds} cuts" if technique.rounds > 1 else ""
    norm = " Batch norm's statistics are measured anew." if technique.statistics == "recalibrated" else ""
    retrained = "A trained model is retrained." if technique.retrain else "Nothing is retrained."
    return f"{removed}{cuts}. {retrained}{norm}"
