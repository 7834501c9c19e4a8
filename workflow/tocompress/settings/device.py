"""The config's `devices`: the places where inference is measured."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from tocompress.settings.base import ONCE, Count, Settings
from tocompress.vocabulary.runtimes import LITERT, SUFFIXES, TENSORFLOW


def _usable(path: str) -> str:
    """Return a path that every shell reads alike. Raise a ValueError for a folder that holds more than this study."""
    odd = path.startswith(("-", "~")) and not path.startswith("~/")
    if odd or not path.isprintable() or not path.strip("./~") or ".." in path.split("/"):
        raise ValueError("a path from the home folder or from / is needed, without '..'")
    return path


def _reachable(host: str) -> str:
    """Return a host that ssh accepts and no shell interprets. Raise a ValueError for any other text."""
    if not _HOST.fullmatch(host):
        raise ValueError("an alias of ~/.ssh/config, or user@address, is needed")
    return host


_HOST = re.compile(r"(\w[\w.-]*@)?[\w\[][\w.:%\]-]*", re.ASCII)
_Mode = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
_RemotePath = Annotated[str, AfterValidator(_usable)]


if TYPE_CHECKING:
    Runtime = str
else:
    Runtime = Literal[tuple(SUFFIXES)]


class _Device(Settings):
    runtimes: Annotated[tuple[Runtime, ...], ONCE] = Field(
        (TENSORFLOW,),
        min_length=1,
        description="runtimes of the device, of which a session measures the ones in `study.runtimes`",
    )
    processor: Literal["cpu", "gpu"] = Field("cpu", description="processor that executes artifacts")
    threads: Count = Field(description="threads of the runtime, whatever --cores is, because latency depends on them")
    inter_op_threads: Count = Field(
        1, description="operations that TensorFlow runs at a time (docs/measurement.md says why one)"
    )
    clocks: Literal["any", "locked"] = Field(
        "any", description="`locked` allows no measurement unless every processor's lowest frequency is its highest"
    )
    modes: Annotated[tuple[_Mode, ...], ONCE] = Field(
        (),
        description="power modes to measure the device in: names of nvpmodel, or else governors of the processors"
        " (none: the mode that it is in)",
    )
    rails: Annotated[tuple[str, ...], ONCE] | None = Field(
        None, min_length=1, description="power rails whose sum is the device's power (null: rails of a known board)"
    )
    meter: str | None = Field(
        None,
        min_length=1,
        description=(
            "CSV file that an external power meter writes on this machine, with columns `time` and `watt`, or `time`,"
            " `volt` and `ampere`"
        ),
    )
    root: str = Field(
        "/", pattern="^/", description="folder of the device's sys/, proc/ and etc/, which differs in a container"
    )

    @model_validator(mode="after")
    def _modes_move_the_clocks(self) -> _Device:
        if self.modes and self.clocks == "locked":
            raise ValueError("clocks: 'locked', but a change of the power mode in `modes` unlocks them; take 'any'")
        return self

    @model_validator(mode="after")
    def _processor_is_known_to_the_runtime(self) -> _Device:
        if LITERT in self.runtimes and self.processor == "gpu":
            raise ValueError(f"processor: '{LITERT}' runs on the processor 'cpu' only; name another device for the gpu")
        return self


class LocalDevice(_Device):
    """This machine."""

    transport: Literal["local"] = Field(description="reached as a process on this machine")
    interpreter: str | None = Field(
        None, min_length=1, description="Python with the runtimes (null: the Python that runs this study)"
    )
    interpreters: dict[Runtime, str] = Field({}, description="Python of a runtime, where it has its own")
    partition: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")] | None = Field(
        None,
        description="on a cluster, the partition of alike nodes, one of which is this device for each session"
        " (null: the device is not measured on a cluster)",
    )

    def interpreter_of(self, runtime: str) -> str | None:
        """Return the Python that has a runtime, or None for the Python that runs this study."""
        return self.interpreters.get(runtime, self.interpreter)


class SshDevice(_Device):
    """A machine that OpenSSH reaches without asking a question."""

    transport: Literal["ssh"] = Field(description="reached by the system's ssh")
    host: Annotated[str, AfterValidator(_reachable)] = Field(
        description="host for ssh: an alias of ~/.ssh/config, or user@address"
    )
    interpreter: _RemotePath = Field("python3", description="Python with the runtimes on the device")
    interpreters: dict[Runtime, _RemotePath] = Field({}, description="Python of a runtime, where it has its own")
    folder: _RemotePath = Field(
        ".cache/tocompress", description="folder for files on the device, relative to the home folder"
    )
    ssh_config: str | None = Field(None, min_length=1, description="file to use instead of ~/.ssh/config")

    def interpreter_of(self, runtime: str) -> str:
        """Return the Python on the device that has a runtime."""
        return self.interpreters.get(runtime, self.interpreter)

    @property
    def board(self) -> tuple[str, str | None]:
        """Return the host, whoever its user is, and the file that says which machine it is."""
        return self.host.rpartition("@")[2], self.ssh_config


Device = Annotated[LocalDevice | SshDevice, Field(discriminator="transport")]
