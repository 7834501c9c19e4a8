"""Which techniques a runtime can execute."""

from __future__ import annotations

from collections.abc import Sequence

from tocompress.settings.technique import Quantize, Technique
from tocompress.vocabulary.runtimes import LITERT, LITERT_BITS


def refusal(runtime: str, techniques: Sequence[Technique], task: str | None = None) -> str | None:
    """Return why a runtime cannot execute a variant that techniques made, or None where it can.

    Without `task`, the reason is one of the techniques alone, for every model.
    """
    quantized = [technique for technique in techniques if isinstance(technique, Quantize)]
    reasons = (_in_litert(technique, task) if runtime == LITERT else _in_floats(technique) for technique in quantized)
    return next((f"{runtime} {reason}" for reason in reasons if reason), None)


def _in_litert(technique: Quantize, task: str | None) -> str | None:
    if technique.type == "integer" and technique.most_bits > LITERT_BITS:
        return f"holds integer weights of at most {LITERT_BITS} bits"
    if technique.activations == 8 and task == "translation":
        return "has no integer kernels with fixed ranges for the loops of a decoder (dynamic ranges work)"
    return None


def _in_floats(technique: Quantize) -> str | None:
    if technique.activations is not None:
        return "computes in floats, and its activations have no integers"
    if technique.type == "float":
        return "gets no weights in floats of 16 bits from this study"
    return None
