"""The parts of the four Inceptions: steps, tables of steps, and layers from a table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from tocompress.models.layers import Padding, Scope, Size, Tensor


class Step(Protocol):
    """One line of a table. It applies its layers, named within `scope`, to `x`."""

    def __call__(self, x: Tensor, scope: Scope) -> Tensor: ...


@dataclass(frozen=True)
class Convolution:
    """Convolution, batch norm, activation. Unless given, the kernel is the size at the end of slim's name."""

    name: str
    depth: int
    kernel: Size | None = None
    stride: int = 1
    padding: Padding = "same"

    def __call__(self, x: Tensor, scope: Scope) -> Tensor:
        kernel = self.kernel or _size_in(self.name)
        return scope.convolution(x, self.name, self.depth, kernel, stride=self.stride, padding=self.padding)


@dataclass(frozen=True)
class Pool:
    """Pooling over the size at the end of slim's name."""

    name: str
    kind: Literal["max", "average"] = "max"
    stride: int = 1
    padding: Padding = "same"

    def __call__(self, x: Tensor, scope: Scope) -> Tensor:
        pool = scope.max_pool if self.kind == "max" else scope.average_pool
        return pool(x, self.name, _size_in(self.name), stride=self.stride, padding=self.padding)


class Split:
    """Steps at the end of a branch that take the same input. Their outputs are concatenated."""

    def __init__(self, *steps: Step) -> None:
        self.steps = steps

    def __call__(self, x: Tensor, scope: Scope) -> Tensor:
        return scope.within("Split").concatenate([step(x, scope) for step in self.steps])


class Mixed:
    """An Inception module: branches, each a sequence of steps, concatenated."""

    def __init__(self, name: str, *branches: Iterable[Step]) -> None:
        self.name = name
        self.branches = branches

    def __call__(self, x: Tensor, scope: Scope) -> Tensor:
        module = scope.within(self.name)
        return module.concatenate(
            [chain(x, branch, module.within(f"Branch_{number}")) for number, branch in enumerate(self.branches)]
        )


def chain(x: Tensor, steps: Iterable[Step], scope: Scope) -> Tensor:
    for step in steps:
        x = step(x, scope)
    return x


def inception_scope(name: str, width: float, folded: bool) -> Scope:
    return Scope(name, width, minimum_depth=16, folded=folded, epsilon=1e-3, gamma=False)


def _size_in(name: str) -> tuple[int, int]:
    match = re.search(r"(\d+)x(\d+)$", name)
    assert match, f"{name} does not end in a kernel size"
    return int(match[1]), int(match[2])
