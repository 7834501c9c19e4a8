"""The names of metrics, networks and modes in print."""

from __future__ import annotations

_NETWORK_NAMES = {
    "inception_v1": "Inception v1",
    "inception_v2": "Inception v2",
    "inception_v3": "Inception v3",
    "inception_v4": "Inception v4",
    "resnet_v1_50": "ResNet 50",
    "resnet_v1_101": "ResNet 101",
    "resnet_v1_152": "ResNet 152",
    "vgg_16": "VGG 16",
    "vgg_19": "VGG 19",
    "mobilenet_v1": "MobileNet",
    "gnmt": "GNMT",
}

METRIC_NAMES = {
    "parameters": "parameters",
    "macs": "multiply-accumulates",
    "filters_removed": "filters removed",
    "size": "file size",
    "size_deflated": "compressed file size",
    "latency": "inference time",
    "latency_per_token": "time a token",
    "memory": "runtime memory",
    "power_mean": "mean power",
    "power_peak": "peak power",
    "energy": "energy",
    "top1": "top-1",
    "top5": "top-5",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "bleu": "BLEU",
    "bleu_tokenized": "BLEU of tokens",
    "operation_share": "share of operation time",
}

DEQUANTIZATION_NAMES = {"every_inference": "dequantized at every inference", "once": "dequantized once, while loading"}
