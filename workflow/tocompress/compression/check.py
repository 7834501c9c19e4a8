"""Describe a model, and the plans of compression and of the runtimes for it. Nothing is trained."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tocompress.compression.pruning.channels import Channels
from tocompress.compression.pruning.ranking import channels_of, float_weights
from tocompress.compression.quantization.grid import KERNELS, kinds_of
from tocompress.errors import StudyError
from tocompress.models import registry
from tocompress.runtimes.litert import body as litert
from tocompress.runtimes.tensorflow import body as tensorflow
from tocompress.settings.jobs import CheckModelJob
from tocompress.settings.model import ModelSettings, with_facts
from tocompress.settings.technique import Prune, Quantize
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
    """Return how many kernels, with which share of all values, each technique quantizes."""
    total = sum(array.size for array in arrays.values())
    sizes = {name: array.size for name, array in arrays.items() if _kind(name) in KERNELS}
    lines = []
    for name, technique in job.techniques.items():
        if isinstance(technique, Quantize):
            kinds, least = kinds_of(technique), technique.minimum_values
            chosen = [size for kernel, size in sizes.items() if _kind(kernel) in kinds and size >= least]
            found = f"{name}: {len(chosen)} of {len(sizes)} kernels, with {sum(chosen) / total:.1%} of all values"
            lines.append(_line("quantized", found))
    return lines


def _kind(name: str) -> str:
    return name.rpartition("/")[2]


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
