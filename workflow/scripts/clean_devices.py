"""Remove all files of earlier studies from the devices that are reached by ssh."""

from pydantic import TypeAdapter

from tocompress.devices.ssh import SshAgent
from tocompress.job import job
from tocompress.settings.device import SshDevice

with job(snakemake):
    devices = TypeAdapter(dict[str, SshDevice]).validate_json(snakemake.params.settings)
    for name, device in devices.items():
        with SshAgent(device, name=name, runtime=device.runtimes[0]) as agent:
            agent.clean()
        print(f"{name}: nothing is left in {device.folder}")
