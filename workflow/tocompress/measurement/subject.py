"""The subject of a benchmark session: the artifacts of a model's variants, and their inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from tocompress.devices import Agent
from tocompress.errors import StudyError
from tocompress.files import digest
from tocompress.settings.jobs import Condition

#: A runtime and a variant.
Artifact = tuple[str, str]


@dataclass(frozen=True)
class Subject:
    """The artifacts of a model, the inputs in an .npz file, and the conditions under which artifacts are measured."""

    model: str
    artifacts: Mapping[Artifact, Path]
    inputs: Path
    conditions: Sequence[Condition]

    @property
    def runtimes(self) -> list[str]:
        """Return the runtimes, in the order of the conditions."""
        return list(dict.fromkeys(condition.runtime for condition in self.conditions))

    @cached_property
    def inputs_digest(self) -> str:
        """Return the SHA-256 of the inputs. Raise StudyError for an absent file."""
        return self._digest("inputs", self.inputs)

    @cached_property
    def digests(self) -> dict[Artifact, str]:
        """Return the SHA-256 of every artifact. Raise StudyError for an absent file."""
        return {key: self._digest(f"artifact {'/'.join(key)}", path) for key, path in self.artifacts.items()}

    @cached_property
    def batches(self) -> dict[int, list[str]]:
        """Return the inputs' names by the size of their batch, from keys `{input_id}/{placeholder}`.

        The size is the first dimension of the input's arrays. Sizes ascend, so a process's first inference is of one
        example. Names keep the file's order.
        """
        sizes: dict[str, int] = {}
        with np.load(self.inputs, allow_pickle=False) as arrays:
            for key in arrays.files:
                name = key.rpartition("/")[0]
                sizes[name] = max([sizes.get(name, 1), *arrays[key].shape[:1]])
        if 1 not in sizes.values() or "" in sizes:
            wanted = "its keys must be {input_id}/{placeholder}"
            raise StudyError(f"{self.inputs}: not a file of benchmark inputs: {wanted}")
        return {size: [name for name in sizes if sizes[name] == size] for size in sorted(set(sizes.values()))}

    @property
    def input_ids(self) -> list[str]:
        """Return the names of the inputs of one example."""
        return self.batches[1]

    def send_to(self, agents: Mapping[str, Agent]) -> None:
        """Make every file available to the agent of its runtime."""
        for runtime, agent in agents.items():
            agent.send(self.inputs, self.inputs_digest)
            for key, path in self.artifacts.items():
                if key[0] == runtime:
                    agent.send(path, self.digests[key])

    def _digest(self, name: str, path: Path) -> str:
        try:
            return digest(path)
        except OSError as error:
            raise StudyError(f"{path}: {self.model}'s {name} is not readable ({error.strerror})") from error
