"""Start the agent: `python agent.zip --folder FOLDER`."""

import argparse
import gc
import os
import sys

from tocompress.devices.agent import litert, tensorflow
from tocompress.devices.agent.files import sha256
from tocompress.devices.agent.host import SILENCE, AgentError, Host, HostGone, Record, one_line
from tocompress.devices.agent.lock import take_lock
from tocompress.devices.agent.machine import machine
from tocompress.devices.agent.modes import Modes, restore_found
from tocompress.devices.agent.sensors import find_sensors, unreadable
from tocompress.devices.agent.server import Server

#: Each runtime has `load`, which imports it and returns its versions, and the class `Network`. `Network` has `run` for
#: the output of an input, and `profile` for the times of its operations.
RUNTIMES = {"litert": litert, "tensorflow": tensorflow}


def main() -> int:
    """Take the machine, import the runtime, say hello, serve."""
    arguments = _arguments()
    # The records alone use the real stdout, so all prints of libraries go to stderr.
    host = Host(0, os.fdopen(os.dup(1), "w"), SILENCE if arguments.heartbeat else None)
    os.dup2(2, 1)
    try:
        runtime = RUNTIMES[arguments.runtime]
        modes = Modes(host, arguments.root) if arguments.lock else None
        server = Server(host, arguments.folder, arguments.root, runtime, modes)
        if arguments.lock:
            take_lock(arguments.lock, arguments.patience, host)
            restore_found(arguments.root)
        facts = dict(machine(arguments.root), agent_sha256=sha256(sys.argv[0]), **_sensors(arguments.root))
        host.send(dict(facts, record="hello", **runtime.load()))
        gc.collect()
        server.serve()
    except HostGone:
        return 1
    except (AgentError, OSError) as error:
        host.send({"record": "error", "error": one_line(error)})
        return 1
    return 0


def _sensors(root: str) -> Record:
    """Return the names of the power rails, and the power files that this user may not read."""
    rails = [name for sensor in find_sensors(root) for name in sensor.names]
    return {"rails": rails, "unreadable": unreadable(root)}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs blocks of inferences for a host that speaks over stdin.")
    parser.add_argument("--folder", required=True, help="where files are kept, by their digests")
    parser.add_argument("--runtime", choices=sorted(RUNTIMES), default="tensorflow", help="what runs the artifacts")
    parser.add_argument("--lock", help="file that keeps other agents off this machine")
    parser.add_argument("--patience", type=float, default=0.0, help="seconds to wait for the lock")
    parser.add_argument("--heartbeat", action="store_true", help="the host sends signs of life: end when they stop")
    parser.add_argument("--root", default="/", help="folder that holds sys/, proc/ and etc/")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
