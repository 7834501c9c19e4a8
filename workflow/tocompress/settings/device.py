"""The config's `devices`: the places where inference is measured."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from tocompress.settings.base import ONCE, Count, Settings
from tocompress.vocabulary.runtimes import SUFFIXES


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
_RemotePath = Annotated[str, AfterValidator(_usable)]


if TYPE_CHECKING:
    _Runtime = str
else:
    _Runtime = Literal[tuple(SUFFIXES)]


class _Device(Settings):
    runtime: _Runtime = Field("tensorflow", description="runtime that executes artifacts")
    processor: Literal["cpu", "gpu"] = Field("cpu", description="processor that executes artifacts")
    threads: Count = Field(description="threads of the runtime, whatever --cores is, because latency depends on them")
    clocks: Literal["any", "locked"] = Field(
        "any", description="`locked` allows no measurement unless every processor's lowest frequency is its highest"
    )
    rails: Annotated[tuple[str, ...], ONCE] | None = Field(
        None, min_length=1, description="power rails whose sum is the device's power (null: rails of a known board)"
    )
    meter: str | None = Field(
        None,
        min_length=1,
        description="CSV file that an external power meter writes on this machine, with columns `time` and `watt`",
    )
    root: str = Field(
        "/", pattern="^/", description="folder of the device's sys/, proc/ and etc/, which differs in a container"
    )


class LocalDevice(_Device):
    """This machine."""

    transport: Literal["local"] = Field(description="reached as a process on this machine")
    interpreter: str | None = Field(
        None, min_length=1, description="Python with the runtime (null: the Python that runs this study)"
    )


class SshDevice(_Device):
    """A machine that OpenSSH reaches without asking a question."""

    transport: Literal["ssh"] = Field(description="reached by the system's ssh")
    host: Annotated[str, AfterValidator(_reachable)] = Field(
        description="host for ssh: an alias of ~/.ssh/config, or user@address"
    )
    interpreter: _RemotePath = Field("python3", description="Python with the runtime on the device")
    folder: _RemotePath = Field(
        ".cache/tocompress", description="folder for files on the device, relative to the home folder"
    )
    ssh_config: str | None = Field(None, min_length=1, description="file to use instead of ~/.ssh/config")


Device = Annotated[LocalDevice | SshDevice, Field(discriminator="transport")]
