"""The facts and builders of the study's eleven networks (paper, Table I), and of networks that users bring.

This module imports no framework.
"""

from __future__ import annotations

import importlib
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from tocompress.errors import StudyError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Network:
    """One network as published. Accuracies are percentages. `..._paper` is the value in Table I, which may differ."""

    name: str
    title: str  # in print
    input_size: int | None  # pixels, height = width
    minimum_input_size: int | None  # the product of the strides, or the need of convolutions without padding
    depth: int | None  # Table I
    parameters: int | None  # all of the checkpoint's variables, batch norm statistics included, no auxiliary heads
    parameters_paper: int | None
    top1: float | None = None  # TF-Slim's README: one central crop of ImageNet's validation images
    top1_paper: float | None = None
    top5: float | None = None
    top5_paper: float | None = None
    _: KW_ONLY
    bleu: float | None = None  # tensorflow/nmt's README: German to English, newstest2015, beam 10
    bleu_paper: float | None = None
    file: str | None = None  # of the module, which holds a function called `name` for a CNN; None: `name`
    kind: Literal["cnn", "rnn"]
    preprocessing: Literal["inception", "vgg"] | None
    classes: int | None  # the vocabulary's size for `gnmt`
    batch_norm_epsilon: float | None  # None: no batch norm

    @property
    def module(self) -> str:
        """Return the name by which the module is imported."""
        return f"{__name__.rpartition('.')[0]}.{self.file or self.name}"

    @property
    def task(self) -> Literal["classification", "translation"]:
        return "translation" if self.kind == "rnn" else "classification"


_inception = partial(Network, kind="cnn", preprocessing="inception", classes=1001, batch_norm_epsilon=1e-3)
_mobilenet = _inception
_resnet = partial(Network, file="resnet_v1", kind="cnn", preprocessing="vgg", classes=1000, batch_norm_epsilon=1e-5)
_vgg = partial(Network, file="vgg", kind="cnn", preprocessing="vgg", classes=1000, batch_norm_epsilon=None)
_gnmt = partial(Network, kind="rnn", preprocessing=None, classes=36_548, batch_norm_epsilon=None)

# fmt: off
_ALL = (
    # name, title, input_size, minimum_input_size, depth, parameters and parameters_paper,
    # top1 and top1_paper, top5 and top5_paper
    _inception("inception_v1", "Inception v1", 224, 32, 22, 6_633_209, 7_000_000, 69.8, 69.8, 89.6, 89.6),
    _inception("inception_v2", "Inception v2", 224, 32, 32, 11_199_137, 11_300_000, 73.9, 73.9, 91.8, 91.4),
    _inception("inception_v3", "Inception v3", 299, 75, 42, 23_853_833, 27_100_000, 78.0, 78.0, 93.9, 94.0),
    _inception("inception_v4", "Inception v4", 299, 75, 58, 42_712_937, 25_600_000, 80.2, 80.2, 95.2, 95.2),
    _resnet("resnet_v1_50", "ResNet 50", 224, 32, 50, 25_610_152, 25_500_000, 75.2, 75.2, 92.2, 90.2),
    _resnet("resnet_v1_101", "ResNet 101", 224, 32, 101, 44_654_504, 51_000_000, 76.4, 76.4, 92.9, 92.9),
    _resnet("resnet_v1_152", "ResNet 152", 224, 32, 152, 60_344_232, 76_500_000, 76.8, 76.8, 93.2, 93.2),
    _vgg("vgg_16", "VGG 16", 224, 32, 16, 138_357_544, 138_000_000, 71.5, 71.5, 89.8, 89.8),
    _vgg("vgg_19", "VGG 19", 224, 32, 19, 143_667_240, 138_000_000, 71.1, 71.1, 89.8, 89.8),
    _mobilenet("mobilenet_v1", "MobileNet", 224, 32, 28, 4_254_889, 4_200_000, 70.7, 70.7, 89.5, 89.56),
    _gnmt("gnmt", "GNMT", None, None, 4, 210_880_513, 211_000_000, bleu=29.9, bleu_paper=27.4),
)
# fmt: on

NETWORKS: dict[str, Network] = {network.name: network for network in _ALL}

#: The name of any network that a user brings as a file. Its sizes stand in the weights file.
KERAS = "keras"
#: Its batch norm has no epsilon left (`models.flat`).
_BROUGHT = Network(
    KERAS, "own model", None, None, None, None, None, file="flat", kind="cnn", preprocessing=None, classes=None,
    batch_norm_epsilon=0.0,
)  # fmt: skip


def find(network: str) -> Network:
    """Return the facts of a network. Raise StudyError that lists the known networks for an unknown name."""
    if network == KERAS:
        return _BROUGHT
    if network not in NETWORKS:
        raise StudyError(f"unknown network {network!r}: known are {', '.join(NETWORKS)}")
    return NETWORKS[network]


def module(network: str) -> Any:
    """Return the module of a network. It is imported by name, so code for all networks depends on none."""
    return importlib.import_module(find(network).module)


def build(network: str, *, width: float, input_size: int, classes: int, folded: bool = False) -> keras.Model:
    """Return a CNN with initial weights: preprocessed float32 [B, input_size, input_size, 3] to logits [B, classes].

    `width` multiplies the depth of every layer except the logits. `folded` gives the deployed form: a bias for every
    convolution, no batch norm and no dropout. Raise StudyError for an unknown network and an impossible size.
    """
    facts = find(network)
    if facts.minimum_input_size is None:
        raise StudyError(f"{network} is not an image network: build it with {facts.module}")
    if input_size < facts.minimum_input_size:
        raise StudyError(f"{network}: input_size {input_size} is too small, at least {facts.minimum_input_size} needed")
    if width <= 0 or classes < 1:
        raise StudyError(f"{network}: width {width} and classes {classes} must be positive")
    function = getattr(module(network), network)
    model: keras.Model = function(width=width, input_size=input_size, classes=classes, folded=folded)
    return model
