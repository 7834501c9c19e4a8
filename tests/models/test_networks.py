"""What holds for all ten CNNs: the published variables, slim's logits, and that folding changes no logit."""

from __future__ import annotations

import ast
import csv
import gc
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest

from tocompress.models.operations import multiply_accumulates, parameters
from tocompress.models.registry import NETWORKS, Network, build
from tocompress.models.variables import named_variables

CNNS = [network for network in NETWORKS.values() if network.kind == "cnn"]

# In units of the logits' standard deviation: what an independent implementation with the same weights may differ by.
TOLERANCE = {"resnet_v1_101": 1.5e-3, "resnet_v1_152": 3e-3}
USUAL_TOLERANCE = 3e-4

# Billions, of TF-Slim's definitions. Its ResNets stride late and take less than the 4.1 of other implementations.
MULTIPLY_ACCUMULATES = {
    "inception_v1": 1.50,
    "resnet_v1_50": 3.48,
    "vgg_16": 15.47,
    "vgg_19": 19.63,
    "mobilenet_v1": 0.569,
}


@pytest.fixture(scope="module", params=CNNS, ids=lambda network: network.name)
def published(request: pytest.FixtureRequest) -> Iterator[tuple[Network, keras.Model]]:
    """A network as published: full width, its own size and classes; kernels are zero. One is in memory at a time."""
    network: Network = request.param
    assert network.input_size is not None
    with pytest.MonkeyPatch.context() as patch:  # drawing VGG's 140 million numbers takes longer than using them
        patch.setattr(keras.initializers.VarianceScaling, "__call__", lambda self, shape, dtype=None: np.zeros(shape))
        model = build(network.name, width=1.0, input_size=network.input_size, classes=network.classes)
    yield network, model
    gc.collect()


def test_costs_and_parameters_are_those_of_the_published_network(published: tuple[Network, keras.Model]) -> None:
    network, model = published
    assert parameters(model) == network.parameters
    if network.name in MULTIPLY_ACCUMULATES:
        assert multiply_accumulates(model) == pytest.approx(MULTIPLY_ACCUMULATES[network.name] * 1e9, rel=2e-3)


def test_variables_are_those_of_the_published_checkpoint(published: tuple[Network, keras.Model], shared: Path) -> None:
    network, model = published
    with (shared / "golden" / "variables" / f"{network.name}.tsv").open() as file:
        rows = csv.DictReader(file, delimiter="\t")
        expected = {row["name"]: tuple(ast.literal_eval(row["shape"])) for row in rows}
    expected = {name: shape for name, shape in expected.items() if "/AuxLogits/" not in name}
    assert {name: tuple(variable.shape) for name, variable in named_variables(model).items()} == expected


def test_logits_are_those_of_slim(published: tuple[Network, keras.Model], shared: Path, rule: ModuleType) -> None:
    network, model = published
    for name, variable in named_variables(model).items():
        variable.assign(rule.weight(network.name, name, tuple(variable.shape), 1))
    image = rule.preprocessed(rule.image(network.input_size, 1), network.preprocessing)

    logits = np.array(model(image, training=False))[0]

    expected = np.load(shared / "golden" / f"{network.name}-1.npz")["logits"]
    tolerance = TOLERANCE.get(network.name, USUAL_TOLERANCE) * expected.std()
    np.testing.assert_allclose(logits, expected, rtol=0, atol=tolerance)
    assert logits.argmax() == expected.argmax()


@pytest.mark.parametrize("network", CNNS, ids=lambda network: network.name)
def test_the_folded_form_has_the_same_logits(network: Network) -> None:
    """At the smallest size, so this also shows that every network can be built there."""
    assert network.minimum_input_size is not None
    unfolded, folded = (
        build(network.name, width=0.125, input_size=network.minimum_input_size, classes=7, folded=folded)
        for folded in (False, True)
    )
    weights = random_weights(named_variables(unfolded))
    assign(unfolded, weights)
    assign(folded, fold(weights, network.batch_norm_epsilon))
    images = np.random.default_rng(1).normal(0, 1, (2, *unfolded.input_shape[1:])).astype(np.float32)

    expected = np.array(unfolded(images, training=False))

    assert expected.shape == (2, 7)
    np.testing.assert_allclose(folded(images, training=True), expected, rtol=0, atol=1e-4 * expected.std())


@pytest.mark.parametrize("network", CNNS, ids=lambda network: network.name)
def test_defaults_of_a_network_are_its_facts(network: Network) -> None:
    function = getattr(importlib.import_module(network.module), network.name)
    defaults = {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}
    assert defaults == {
        "width": 1.0,
        "input_size": network.input_size,
        "classes": network.classes,
        "folded": False,
    }


def test_a_training_step_lowers_the_loss() -> None:
    keras.utils.set_random_seed(1)
    model = build("mobilenet_v1", width=0.25, input_size=32, classes=4)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05), loss, run_eagerly=True)
    images = np.random.default_rng(1).uniform(-1, 1, (16, 32, 32, 3)).astype(np.float32)
    labels = np.arange(16) % 4
    before, after = (model.train_on_batch(images, labels) for _ in range(2))
    assert after < before


def random_weights(variables: dict[str, keras.Variable]) -> dict[str, np.ndarray]:
    """Values under which signals neither die nor explode over 150 layers, and no batch norm is an identity."""
    rng = np.random.default_rng(1)

    def value(name: str, shape: tuple[int, ...]) -> np.ndarray:
        leaf = name.rpartition("/")[2]
        if leaf in ("gamma", "moving_variance"):
            return rng.uniform(0.7, 1.3, shape) * (0.3 if "/conv3/" in name else 1)
        if leaf in ("beta", "biases", "moving_mean"):
            return rng.normal(0, 0.2, shape)
        inputs = shape[:2] if leaf == "depthwise_weights" else shape[:-1]
        return rng.normal(0, np.sqrt(2 / np.prod(inputs)), shape)

    return {name: value(name, tuple(variable.shape)) for name, variable in variables.items()}


def fold(weights: dict[str, np.ndarray], epsilon: float | None) -> dict[str, np.ndarray]:
    """Batch norm as a factor in the kernel, one for each filter, and a bias."""
    folded = {name: value for name, value in weights.items() if "/BatchNorm/" not in name}
    for name, beta in weights.items():
        scope, found, leaf = name.rpartition("/BatchNorm/")
        if not found or leaf != "beta":
            continue
        assert epsilon is not None
        gamma = weights.get(f"{scope}/BatchNorm/gamma", 1.0)
        factor = gamma / np.sqrt(weights[f"{scope}/BatchNorm/moving_variance"] + epsilon)
        folded[f"{scope}/biases"] = beta - factor * weights[f"{scope}/BatchNorm/moving_mean"]
        if (depthwise := f"{scope}/depthwise_weights") in folded:
            folded[depthwise] = folded[depthwise] * factor[:, None]
        else:
            folded[f"{scope}/weights"] = folded[f"{scope}/weights"] * factor
    return folded


def assign(model: keras.Model, weights: dict[str, np.ndarray]) -> None:
    variables = named_variables(model)
    assert variables.keys() == weights.keys()
    for name, variable in variables.items():
        variable.assign(weights[name])
