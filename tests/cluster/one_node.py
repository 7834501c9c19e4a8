"""A Slurm of one node on this machine. All of its files lie in one folder, and it needs neither root nor /etc/slurm."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_DAEMONS = ("munged", "slurmctld", "slurmd")
_COMMANDS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo", "sacct", "sacctmgr")
_CONFIG = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldPort={controller_port}
SlurmdPort={node_port}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=3600
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={megabytes} State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@contextmanager
def one_node(folder: Path, cpus: int = 2, megabytes: int = 12_000) -> Iterator[dict[str, str]]:
    """Start it, and yield the environment in which its commands are found. Skip the test where Slurm is missing."""
    path = os.environ["PATH"] + ":/usr/sbin"
    if missing := [name for name in (*_DAEMONS, *_COMMANDS) if not shutil.which(name, path=path)]:
        pytest.skip(f"needs Slurm (apt-get install slurmctld slurmd slurm-client munge), and has no {missing[0]}")
    folder.chmod(0o700)
    host = socket.gethostname().partition(".")[0]
    _write_files(folder, path, host, cpus, megabytes)
    environment = os.environ | {"PATH": f"{folder}/bin:{path}"}
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        with (folder / "daemons.log").open("wb") as log:
            for command in _commands(folder, host):
                daemons.append(
                    subprocess.Popen(
                        command,
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                )
                _until((folder / "munge.socket").exists, folder)
            _until(lambda: "idle" in _output(environment, "sinfo", "-h", "-o", "%t"), folder)
        yield environment
    finally:
        _output(environment, "scancel", "--user", getpass.getuser())
        _end(daemons)


def _write_files(folder: Path, path: str, host: str, cpus: int, megabytes: int) -> None:
    for name in ("bin", "state"):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o600)
    ports = {"controller_port": _free_port(), "node_port": _free_port()}
    facts = {"folder": folder, "user": getpass.getuser(), "host": host, "cpus": cpus, "megabytes": megabytes}
    (folder / "slurm.conf").write_text(_CONFIG.format(**facts, **ports))
    # The plugin's jobs forget SLURM_CONF before they call srun.
    for name in _COMMANDS:
        command = folder / "bin" / name
        command.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which(name, path=path)} "$@"\n')
        command.chmod(0o755)


def _commands(folder: Path, host: str) -> Iterator[list[str]]:
    ends = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    files = [f"--{option}={folder}/munge.{end}" for option, end in ends.items()]
    yield ["munged", "--force", "--foreground", *files]
    yield ["slurmctld", "-D", "-f", f"{folder}/slurm.conf"]
    yield ["slurmd", "-D", "-f", f"{folder}/slurm.conf", "-N", host]


def _end(daemons: list[subprocess.Popen[bytes]]) -> None:
    for daemon in reversed(daemons):
        daemon.terminate()
        with suppress(subprocess.TimeoutExpired):
            daemon.wait(10)
        daemon.kill()
        daemon.wait()


def _output(environment: dict[str, str], *command: str) -> str:
    with suppress(subprocess.TimeoutExpired):
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=20).stdout
    return ""


def _until(condition: Callable[[], bool], folder: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, (folder / "daemons.log").read_text()
        time.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
