"""A made-up study: the table that figures and the report are tested on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd

from tocompress.models.registry import NETWORKS
from tocompress.reporting.study import Part, aggregate, artifact_rows
from tocompress.schemas.study import VALUE
from tocompress.settings.jobs import StudyVariant
from tocompress.vocabulary.arithmetic import EVERY_INFERENCE, FLOAT, INTEGER, ONCE
from tocompress.vocabulary.metrics import METRICS
from tocompress.vocabulary.runtimes import LITERT, TENSORFLOW
from tocompress.vocabulary.variants import Variant

ZOO = ("mobilenet_v1", "resnet_v1_50", "vgg_16", "gnmt")
FULL = ("mobilenet_v1_full", "inception_v1_full", "resnet_v1_50_full")
BITS = {"q16": 16, "q8": 8, "q6": 6}
CUTS = {"p05": 0.05, "p15": 0.15, "p30": 0.3, "p50": 0.5, "p50_random": 0.5, "p75": 0.75}
CHAINS = ("q8-p05", "p05-q8")
#: What a model of this name is pruned to: trained ones in full, others to see what it costs.
PRUNED = {name: (*CUTS, *CHAINS) for name in ("resnet_v1_50", "vgg_16", "gnmt")} | {"resnet_v1_50_full": ("p05", "p50")}
#: What the technique of docs/examples/technique.md adds; no model has it unless it is asked for.
SPARSE = ("s50", "s50-q8")
MODES = (EVERY_INFERENCE, ONCE)
#: What LiteRT is given besides pruned variants, and how much faster its integers are than its floats.
IN_LITERT = {"q8": 1.0, "q6": 1.0, "f16": 1.0, "i8": 0.36, "i6": 0.36, "dyn8": 0.41}
NO_INTEGERS = "litert has no integer kernels for the loops of a decoder"
TOO_SHORT = "operations are too short for the runtime's clock"
CLASSES = {
    "convolution": 0.62, "depthwise convolution": 0.14, "matrix multiplication": 0.05, "bias and addition": 0.07,
    "activation": 0.06, "pooling": 0.015, "data movement": 0.004,
}  # fmt: skip
NO_SENSOR = "no power sensor on host"


def network_of(model: str) -> str:
    return model.removesuffix("_full")


def make_study(
    models: Sequence[str] = (*ZOO, *FULL),
    variants: Sequence[str] = ("fp32", *BITS, *CUTS, *CHAINS),
    *,
    power: bool = False,
    litert: bool = False,
) -> pd.DataFrame:
    """A study whose numbers are drawn, but of the size and spread of real ones: these models, each with those of the
    variants that it would have."""
    parts = _litert_parts(models, power) if litert else []
    for number, model in enumerate(models):
        own = [variant for variant in variants if variant in ("fp32", *BITS, *SPARSE, *PRUNED.get(model, ()))]
        random = np.random.default_rng(number)
        network, full = network_of(model), model not in ZOO
        facts = {"model": model, "network": network, "build": "initial" if full else "zoo"}
        on_host = {"device": "host", "processor": "cpu", "runtime": "tensorflow"}
        parameters = NETWORKS[network].parameters if full else NETWORKS[network].parameters // 40
        slow = random.uniform(1.2, 1.9)
        parts.append(Part(**facts, runtime=TENSORFLOW, rows=artifact_rows(_artifacts(own, parameters))))
        parts.append(Part(**facts, rows=pd.DataFrame([*_removed(own, network)], columns=_REMOVED)))
        for mode in (FLOAT, *MODES):
            timed = [variant for variant in own if (facts_of(variant).bits is None) == (mode == FLOAT)]
            dequantized = {v: slow * (1 + 0.05 * i) if mode == EVERY_INFERENCE else 1.0 for i, v in enumerate(BITS)}
            slowdown = {v: dequantized.get(_bits_of(v), 1.0) * (1 - 0.9 * _cut_of(v)) for v in timed}
            parts.append(
                Part(
                    **facts,
                    **on_host,
                    arithmetic=mode,
                    rows=pd.DataFrame(
                        [
                            *_latency(timed, parameters, slowdown, random),
                            *_load(timed, mode),
                            *_memory(timed, parameters, random),
                            *_power(timed, power),
                            *_operations(timed, mode, network, random),
                        ]
                    ),
                )
            )
        rows = _no_accuracy(own, network) if full else _accuracy(own, network, random)
        dataset = None if full else "phrases" if network == "gnmt" else "glyphs"
        parts.append(Part(**facts, runtime=TENSORFLOW, dataset=dataset, rows=pd.DataFrame(rows)))
    return aggregated(parts)


def _litert_parts(models: Sequence[str], power: bool) -> list[Part]:
    """The parts of these models in LiteRT, whose fp32 takes 0.9 of TensorFlow's time."""
    parts = []
    for number, model in enumerate(models):
        random = np.random.default_rng(1000 + number)
        network, full = network_of(model), model not in ZOO
        facts = {"model": model, "network": network, "build": "initial" if full else "zoo", "runtime": LITERT}
        refused = {"q16": "litert holds integer weights of at most 8 bits"}
        refused |= {"i8": NO_INTEGERS, "i6": NO_INTEGERS} if network == "gnmt" else {}
        own = [name for name in ("fp32", *IN_LITERT, *PRUNED.get(model, ())) if name not in refused]
        own = [name for name in own if name not in CHAINS]
        parameters = NETWORKS[network].parameters if full else NETWORKS[network].parameters // 40
        parts.append(Part(**facts, rows=artifact_rows(_artifacts(own, parameters))))
        for mode in (FLOAT, ONCE, INTEGER):
            timed = [name for name in own if _arithmetic(name) == mode]
            slowdown = {name: IN_LITERT.get(name, 1.0) * (1 - 0.9 * _cut_of(name)) for name in timed}
            rows = [*_latency(timed, parameters, slowdown, random), *_memory(timed, parameters, random)]
            for row in rows:
                row |= {f"across{edge}": 0.9 * row[f"ratio{edge}"] for edge in ("", "_low", "_high")}
            rows += [*_power(timed, power), *_profile(timed, mode, network, full, random)]
            parts.append(Part(**facts, device="host", processor="cpu", arithmetic=mode, rows=pd.DataFrame(rows)))
        rows = _no_accuracy(own, network) if full else _accuracy(own, network, random)
        dataset = None if full else "phrases" if network == "gnmt" else "glyphs"
        parts.append(Part(**facts, dataset=dataset, rows=pd.DataFrame(rows)))
        parts.append(Part(**facts, device="host", processor="cpu", rows=pd.DataFrame(_refused(refused))))
    return parts


def _arithmetic(variant: str) -> str:
    facts = facts_of(variant)
    return FLOAT if facts.bits is None else INTEGER if facts.activations else ONCE


def _profile(variants, mode, network, full, random):
    """Shares of operations, and of those in integers, which LiteRT tells of full-size models only."""
    if not full:
        for metric, variant in product(("operation_share", "integer_share"), variants):
            yield {
                "metric": metric,
                "variant": variant,
                "unit": "fraction",
                "basis": "unavailable",
                "reason": TOO_SHORT,
            }
        return
    yield from _operations(variants, mode, network, random)
    for variant, label in product(variants, ("time", "count")):
        yield _row("integer_share", variant, 0.97 if mode == INTEGER else 0.0, None, 0.0, label=label, n=5)


def _refused(reasons):
    for variant, reason in reasons.items():
        for metric in ("latency", "size"):
            yield {
                "metric": metric, "variant": variant, "unit": METRICS[metric].unit, "basis": "unavailable",
                "reason": reason,
            }  # fmt: skip


def facts_of(variant: str) -> StudyVariant:
    """What a config says whose techniques are called by the first letters of their methods."""
    techniques = Variant.parse(variant).techniques
    methods = [{"p": "prune", "s": "sparsify"}.get(technique[0], "quantize") for technique in techniques]
    quantized = [technique for technique in techniques if technique[0] in "qidf"]
    bits = min((int(re.sub(r"\D", "", technique)) for technique in quantized), default=None)
    activations = next(({"i": "8", "d": "dynamic"}.get(technique[0]) for technique in quantized), None)
    granularity = None if bits is None else "channel" if activations else "tensor"
    return StudyVariant(
        name=variant, methods=tuple(methods), bits=bits, granularity=granularity, activations=activations
    )


def aggregated(parts: Sequence[Part]) -> pd.DataFrame:
    """The table of parts whose variants are called so."""
    named = {variant for part in parts for variant in (part.variant, *part.rows.get("variant", ()))}
    return aggregate(parts, [facts_of(variant) for variant in named - {None}])


def make_unavailable(study: pd.DataFrame) -> pd.DataFrame:
    """The same study where nothing could be measured."""
    values = [name for name in VALUE if name not in ("metric", "label", "unit")]
    return study.assign(**dict.fromkeys(values) | {"basis": "unavailable", "reason": "the device did not answer"})


def _artifacts(variants: Sequence[str], parameters: int) -> pd.DataFrame:
    left = {variant: (1 - _cut_of(variant)) ** 2 for variant in variants}
    bits = {variant: facts_of(variant).bits or 32 for variant in variants}
    sizes = {variant: int(parameters * left[variant] * bits[variant] / 8 * 1.01 + 30_000) for variant in variants}
    return pd.DataFrame(
        {
            "variant": list(variants),
            "size": [sizes[variant] for variant in variants],
            "size_deflated": [int(0.92 * sizes[variant]) for variant in variants],
            "parameters": [int(parameters * left[variant]) for variant in variants],
            "macs": [int(parameters * 130 * left[variant] ** 0.9) for variant in variants],
            "sha256": "0" * 64,
        }
    )


_REMOVED = ["metric", "variant", "unit", "value", "basis", "label"]


def _removed(variants, network):
    kinds = (None, "units", "embedding dimensions") if network == "gnmt" else (None,)
    for variant in variants:
        for label in kinds if _cut_of(variant) else ():
            row = "filters_removed", variant, "fraction", _cut_of(variant), "measured", label
            yield dict(zip(_REMOVED, row, strict=True))


def _bits_of(variant):
    return next((technique for technique in Variant.parse(variant).techniques if technique in BITS), "fp32")


def _cut_of(variant):
    return next((CUTS[technique] for technique in Variant.parse(variant).techniques if technique in CUTS), 0.0)


def _row(
    metric: str, variant: str, value: float, ratio: float | None, spread: float, **more: object
) -> dict[str, object]:
    known = {"metric": metric, "variant": variant, "unit": METRICS[metric].unit, "value": value, "basis": "measured"}
    interval = {"low": value * (1 - spread), "high": value * (1 + spread), "level": 0.95}
    if ratio is not None:
        interval |= {"ratio": ratio, "ratio_low": ratio * (1 - spread), "ratio_high": ratio * (1 + spread)}
    return known | interval | more


def _settled(variant: str, spread: float) -> dict[str, object]:
    """Whether a value of this spread and its ratio are settled: a ratio bears more, and fp32's own is none."""
    return {"settled": spread < 0.03, "ratio_settled": None if variant == "fp32" else spread < 0.05}


def _latency(variants, parameters, slowdown, random):
    base = 0.8 * (parameters / 1e5) ** 0.75
    for variant in variants:
        ratio = slowdown.get(variant, 1.0) * random.uniform(0.97, 1.03)
        spread = random.uniform(0.01, 0.06)
        yield _row(
            "latency", variant, base * ratio, ratio, spread, n=int(random.integers(50, 400)), processes=5,
            **_settled(variant, spread),
        )  # fmt: skip
        yield _row("latency", variant, 2 * base, 7.0, 0.02, label="input 3", n=40, processes=5, **_settled(variant, 0))
        for inputs in ("1", "16"):
            yield _row("throughput", variant, 1e3 / base, 7.0, 0.02, label=inputs, n=5, **_settled(variant, 0))


def _load(variants, mode):
    for variant in variants:
        ratio = 1.5 if mode == ONCE else {"q16": 0.6, "q8": 0.4, "q6": 0.3}.get(_bits_of(variant), 1.0)
        yield _row("load", variant, 80 * ratio, ratio, 0.04, n=5, processes=5, **_settled(variant, 0.04))


def _memory(variants, parameters, random):
    for variant in variants:
        ratio = {"q16": 0.9, "q8": 0.8, "q6": 0.77}.get(_bits_of(variant), 1) * random.uniform(0.95, 1.05)
        ratio *= 1 - 0.6 * _cut_of(variant)
        yield _row(
            "memory", variant, (parameters * 9 + 2e7) * ratio, ratio, 0.02, n=5, processes=5, **_settled(variant, 0)
        )
        yield _row("memory", variant, 1e9, 7.0, 0.02, n=5, label="loading", processes=5, **_settled(variant, 0))


def _power(variants, measured):
    for metric, base, ratio in (("power_mean", 4.0, 0.97), ("power_peak", 6.0, 0.9), ("energy", 0.3, 1.4)):
        for variant in variants:
            if measured:
                yield _row(metric, variant, base, ratio, 0.03, n=5, processes=5, **_settled(variant, 0))
            else:
                yield {
                    "metric": metric, "variant": variant, "unit": METRICS[metric].unit, "basis": "unavailable",
                    "reason": NO_SENSOR,
                }  # fmt: skip


def _operations(variants, mode, network, random):
    shares = {name: share * random.uniform(0.7, 1.3) for name, share in CLASSES.items()}
    if network == "gnmt":
        shares |= {"convolution": 0.0, "depthwise convolution": 0.0, "pooling": 0.0, "matrix multiplication": 0.8}
    if network != "mobilenet_v1":
        shares["depthwise convolution"] = 0.0
    for variant in variants:
        spent = {"q16": 0.2, "q8": 0.22, "q6": 0.38}.get(_bits_of(variant), 0.0) if mode == EVERY_INFERENCE else 0.0
        total = sum(shares.values())
        for label, share in {**shares, "dequantization": None}.items():
            value = spent if share is None else (1 - spent) * share / total
            yield _row("operation_share", variant, value, None, 0.02, label=label, n=5)


def _scores(network):
    return ["bleu"] if network == "gnmt" else ["top1", "top5", "precision", "recall", "f1"]


def _no_accuracy(variants, network):
    for variant in variants:
        for metric in _scores(network):
            yield {
                "metric": metric, "variant": variant, "unit": METRICS[metric].unit, "basis": "unavailable",
                "reason": "no trained weights",
            }  # fmt: skip


def _accuracy(variants, network, random):
    metrics = _scores(network)
    for variant in variants:
        drop = {16: 0.0005, 8: 0.01, 6: 0.08}.get(facts_of(variant).bits, 0)
        drop += (1.6 if variant == "p50_random" else 0.7) * _cut_of(variant) ** 2.2
        drop *= random.uniform(0.5, 1.5)
        for metric in metrics:
            base = {"bleu": 62.0, "top1": 0.78, "top5": 0.94}.get(metric, 0.775)
            small = drop * (0.3 if metric == "top5" else 1)
            n, label = (600, "nrefs:1|case:mixed|tok:13a") if metric == "bleu" else (2000, None)
            lost = {
                "change": -base * small,
                "change_low": -base * (small + 0.012),
                "change_high": base * (0.012 - small),
            }
            yield _row(metric, variant, base * (1 - small), 1 - small, 0.012, n=n, label=label, **lost)
