"""The names of networks in print."""

from __future__ import annotations

NETWORK_NAMES = {
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
