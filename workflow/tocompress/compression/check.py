"""Describe a model, and the plans of compression and of the runtimes for it. Nothing is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path

from tocompress.compression.pruning.channels import Channels
from tocompress.compression.pruning.ranking import channels_of, float_weights
from tocompress.compression.quantization.bits import bits_of, kept
from tocompress.compression.quantization.grid import KERNELS, kernels_of, kinds_of
from tocompress.errors import StudyError
from tocompress.models import registry
from tocompress.runtimes.litert import body as litert
from tocompress.runtimes.tensorflow import body as tensorflow
from tocompress.settings.jobs import CheckModelJob
from tocompress.settings.model import ModelSettings, with_facts
from tocompress.settings.technique import KEPT_BITS, Budget, Prune, Quantize
from tocompress.tasks.networks import Arrays, network_of
from tocompress.vocabulary.runtimes import LITERT
from tocompress.weights import ModelMetadata, read_weights


def check(weights: str | Path, job: CheckModelJob) -> str:
    """Return a text about the uncompressed model in the file `weights`.

    It names the model's parts, and those that are folded, quantized, pruned or left whole. It gives the variants that
    each runtime of the study can execute.
    """
    tensors, metadata = read_weights(weights)
    arrays, model = float_weights(tensors), with_facts(job.model, metadata)
    paragraphs = (
        _contents(metadata, model, arrays),
        _batch_norms(arrays),
        _quantized(job, arrays),
        _pruned(job, channels_of(model, arrays)),
        _variants(job, metadata, arrays),
    )
    return "\n".join([f"model {metadata.model}", *(line for paragraph in paragraphs for line in paragraph)]) + "\n"


def _line(what: str, found: str) -> str:
    return f"  {what:<12} {found}".rstrip()


def _contents(metadata: ModelMetadata, model: ModelSettings, arrays: Arrays) -> list[str]:
    values = sum(array.size for array in arrays.values())
    shapes = {name: array.shape for name, array in arrays.items()}
    macs = int(tensorflow.multiply_accumulates(metadata, shapes)["macs"].iloc[0])
    lines = [_line("network", registry.find(metadata.network).title)]
    if metadata.shape is not None:
        height, width, channels = metadata.shape
        scaled = ", which the model scales itself" if metadata.takes_pixels else ""
        lines.append(_line("input", f"{height} x {width} pixels, {channels} channel{'s' * (channels > 1)}{scaled}"))
        lines.append(_line("output", f"{metadata.classes} classes"))
        counts = Counter(type(layer).__name__ for layer in network_of(model, arrays)[0].operations[1:])
        lines.append(_line("layers", ", ".join(f"{number} {kind}" for kind, number in counts.most_common())))
    return [*lines, _line("size", f"{values:,} values in {len(arrays)} tensors, {macs:,} multiply-accumulates")]


def _batch_norms(arrays: Arrays) -> list[str]:
    """Return the number of batch norms that are folded into kernels, and the others by name."""
    end = "/BatchNorm/moving_mean"
    scopes = [name.removesuffix(end) for name in arrays if name.endswith(end)]
    stay = [scope for scope in scopes if not any(f"{scope}/{kind}" in arrays for kind in KERNELS)]
    if not scopes:
        return []
    lines = [_line("batch norm", f"{len(scopes) - len(stay)} of {len(scopes)} folded into the kernel before them")]
    return [*lines, *(_line("", f"stays: {scope}, which no kernel takes in") for scope in stay)]


def _quantized(job: CheckModelJob, arrays: Arrays) -> list[str]:
    """Return how many kernels, with which share of all values, each technique quantizes, and to which bits."""
    total = sum(array.size for array in arrays.values())
    of_all = len(kernels_of(arrays, 1, KERNELS))
    lines = []
    for name, technique in job.techniques.items():
        if isinstance(technique, Quantize):
            try:
                chosen, bits = _chosen(technique, arrays)
            except StudyError as error:
                lines.append(_line("quantized", f"not {name}: {error}"))
                continue
            share = sum(arrays[kernel].size for kernel in chosen) / total
            found = f"{name}: {len(chosen)} of {of_all} kernels, with {share:.1%} of all values{bits}"
            lines.append(_line("quantized", found + _on_data(technique)))
    return lines


def _chosen(technique: Quantize, arrays: Arrays) -> tuple[Collection[str], str]:
    """Return the kernels that a technique quantizes, and the bits of them as a text, empty where all have the same.

    Raise StudyError for a pattern that matches no kernel.
    """
    kernels = kernels_of(arrays, technique.minimum_values, kinds_of(technique))
    if isinstance(technique.bits, Budget):
        stay = len(kept(technique.keep, kernels))
        least = f", {stay} of them {KEPT_BITS}" if stay else ""
        return kernels, f", {technique.bits.budget:g} bits a value on average{least}"
    bits = bits_of(technique.bits, technique.keep, kernels)
    numbers = Counter(bits.values())
    told = ", ".join(f"{count} of {number} bits" for number, count in sorted(numbers.items()))
    return bits, f": {told}" if len(numbers) > 1 else ""


def _on_data(technique: Quantize) -> str:
    """Return which options of a technique need the calibration set, as a text."""
    return f" (on the calibration set: {', '.join(technique.keys_on_data)})" if technique.on_data else ""


def _pruned(job: CheckModelJob, channels: Channels) -> list[str]:
    """Return how many channels pruning may remove, and the layers that it leaves whole."""
    techniques = {name: technique for name, technique in job.techniques.items() if isinstance(technique, Prune)}
    found = f"any of {channels.count:,} filters or units, in {len(channels.groups)} groups that go together"
    removed = [f"{name}: {round(technique.share * channels.count):,} of them" for name, technique in techniques.items()]
    whole = [f"{layer}: {reason}" for layer, reason in channels.whole.items()]
    return [
        _line("pruned", found),
        *(_line("", line) for line in removed),
        *(_line("left whole", line) for line in whole),
    ]


def _variants(job: CheckModelJob, metadata: ModelMetadata, arrays: Arrays) -> list[str]:
    """Return whether each runtime takes the network, and which of the variants."""
    failures = _failures(job, metadata, arrays)
    lines = []
    for runtime in job.runtimes:
        refused = {variant.name: variant.refused[runtime] for variant in job.variants if runtime in variant.refused}
        taken = [variant.name for variant in job.variants if variant.name not in refused]
        lines.append(_line(runtime, failures.get(runtime) or f"takes the network; variants {', '.join(taken)}"))
        lines += [_line("", f"not {name}: {reason}") for name, reason in refused.items()]
    return lines


def _failures(job: CheckModelJob, metadata: ModelMetadata, arrays: Arrays) -> dict[str, str]:
    """Return the reason why a runtime does not take the network, by the runtime. The network is really converted."""
    shapes = {name: array.shape for name, array in arrays.items()}
    try:
        body = tensorflow.trace(metadata, shapes)
    except StudyError as error:
        return dict.fromkeys(job.runtimes, f"does not take the network: {error}")
    if LITERT not in job.runtimes:
        return {}
    try:
        litert.trace(metadata, body)
    except StudyError as error:
        return {LITERT: f"does not take the network: {error}"}
    return {}
