"""The config's `devices`: the places where inference is measured."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from tocompress.settings.base import ONCE, Count, Settings
from tocompress.vocabulary.runtimes import SUFFIXES


def _usable(path: str) -> str:
    """A path that means the same to every shell, and no folder that holds more than what is this study's."""
    odd = path.startswith(("-", "~")) and not path.startswith("~/")
    if odd or not path.isprintable() or not path.strip("./~") or ".." in path.split("/"):
        raise ValueError("a path from the home folder or from / is needed, without '..'")
    return path


def _reachable(host: str) -> str:
    """What ssh takes for a host, and no shell for anything else."""
    if not _HOST.fullmatch(host):
        raise ValueError("an alias of ~/.ssh/config, or user@address, is needed")
    return host


_HOST = re.compile(r"(\w[\w.-]*@)?[\w\[][\w.:%\]-]*", re.ASCII)
_RemotePath = Annotated[str, AfterValidator(_usable)]


if TYPE_CHECKING:
    _Runtime = str
else:
    _Runtime = Literal[tuple(SUFFIXES)]


class _Device(Settings):
    runtime: _Runtime = Field("tensorflow", description="what executes an artifact")
    processor: Literal["cpu", "gpu"] = Field("cpu", description="what it is executed on")
    threads: Count = Field(description="threads of the runtime; not taken from --cores, or latency would depend on it")
    clocks: Literal["any", "locked"] = Field(
        "any", description="`locked`: nothing is measured unless every processor's lowest frequency is its highest"
    )
    rails: Annotated[tuple[str, ...], ONCE] | None = Field(
        None, min_length=1, description="power rails that add up to the device's power; null: those of a known board"
    )
    meter: str | None = Field(
        None,
        min_length=1,
        description="CSV file that an external power meter writes on this machine: columns `time` and `watt`",
    )
    root: str = Field(
        "/", pattern="^/", description="folder of sys/, proc/ and etc/ on the device: another one in a container"
    )


class LocalDevice(_Device):
    """This machine."""

    transport: Literal["local"] = Field(description="how it is reached: a process on this machine")
    interpreter: str | None = Field(
        None, min_length=1, description="Python of the runtime; null: the one that runs this study"
    )


class SshDevice(_Device):
    """A machine that OpenSSH reaches without asking for anything."""

    transport: Literal["ssh"] = Field(description="how it is reached: the system's ssh")
    host: Annotated[str, AfterValidator(_reachable)] = Field(
        description="as for ssh: an alias of ~/.ssh/config, or user@address"
    )
    interpreter: _RemotePath = Field("python3", description="Python of the runtime on the device")
    folder: _RemotePath = Field(
        ".cache/tocompress", description="where files are kept on the device, relative to the home folder"
    )
    ssh_config: str | None = Field(None, min_length=1, description="file to take instead of ~/.ssh/config")


Device = Annotated[LocalDevice | SshDevice, Field(discriminator="transport")]
