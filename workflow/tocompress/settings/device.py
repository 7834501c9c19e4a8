"""The config's `devices`: the places where inference is measured."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tocompress.settings.base import Count, Settings


class _Device(Settings):
    runtime: Literal["tensorflow"] = Field("tensorflow", description="what executes an artifact")
    processor: Literal["cpu", "gpu"] = Field("cpu", description="what it is executed on")
    threads: Count = Field(description="threads of the runtime; not taken from --cores, or latency would depend on it")
    clocks: Literal["any", "locked"] = Field(
        "any", description="`locked`: nothing is measured unless every processor's lowest frequency is its highest"
    )
    rails: tuple[str, ...] | None = Field(
        None, min_length=1, description="power rails that add up to the device's power; null: those of a known board"
    )
    meter: str | None = Field(
        None, description="CSV file that an external power meter writes on this machine: columns `time` and `watt`"
    )
    root: str = Field("/", description="folder of sys/, proc/ and etc/ on the device: another one in a container")


class LocalDevice(_Device):
    """This machine."""

    transport: Literal["local"] = Field(description="how it is reached: a process on this machine")
    interpreter: str | None = Field(None, description="Python of the runtime; null: the one that runs this study")


class SshDevice(_Device):
    """A machine that OpenSSH reaches without asking for anything."""

    transport: Literal["ssh"] = Field(description="how it is reached: the system's ssh")
    host: str = Field(pattern=r"^[^-\s]\S*$", description="as for ssh: an alias of ~/.ssh/config, or user@address")
    interpreter: str = Field("python3", description="Python of the runtime on the device")
    folder: str = Field(
        ".cache/tocompress", min_length=1, description="where files are kept on the device, relative to the home folder"
    )
    ssh_config: str | None = Field(None, description="file to take instead of ~/.ssh/config")


Device = Annotated[LocalDevice | SshDevice, Field(discriminator="transport")]
