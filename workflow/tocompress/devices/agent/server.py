"""The agent's parent process, which carries out the commands of a host."""

import json
import os
from typing import Optional

from tocompress.devices.agent.files import Files
from tocompress.devices.agent.generation import run_generation
from tocompress.devices.agent.host import AgentError, Host, Record, checked_block, checked_generation, one_line
from tocompress.devices.agent.machine import state
from tocompress.devices.agent.modes import Modes, current, find_modes, name_of, refusal
from tocompress.devices.agent.process import WorkerProcess
from tocompress.devices.agent.sampler import Sampler
from tocompress.devices.agent.worker import Runtime


class Server:
    """The server of a host's commands, one after another. Its runtime is loaded already."""

    def __init__(self, host: Host, folder: str, root: str, runtime: Runtime, modes: Optional[Modes] = None) -> None:
        self._host = host
        self._folder = folder
        self._root = root
        self._runtime = runtime
        self._modes = modes  # of the agent that holds the machine
        self._files = Files(folder)

    def serve(self) -> None:
        """Carry out commands until `quit`. Close every other command by `end` or `error`. Raise HostGone."""
        for line in self._host.lines():
            try:
                command = json.loads(line)
                if not isinstance(command, dict):
                    raise AgentError("malformed command: not an object")
                if command.get("command") == "quit":
                    return
                self._carry_out(command)
                self._host.send({"record": "end", "load": os.getloadavg()[0]})
            except AgentError as error:
                self._host.send({"record": "error", "error": one_line(error), "member": error.member})
            except OSError as error:
                self._host.send({"record": "error", "error": one_line(error)})
            except (ValueError, TypeError, RecursionError) as error:
                self._host.send({"record": "error", "error": f"malformed command: {error}"})

    def _carry_out(self, command: Record) -> None:
        name = command.get("command")
        if name == "block":
            self._run_block(self._with_paths(checked_block(command)))
        elif name == "generation":
            members = [self._with_paths(member) for member in checked_generation(command)["members"]]
            run_generation(self._host, self._root, self._runtime, dict(command, members=members))
        elif name == "has":
            digests = command.get("sha256", [])
            self._host.send({"record": "has", "sha256": [digest for digest in digests if self._files.whole(digest)]})
        elif name == "put":
            self._put(command)
        elif name == "state":
            self._host.send(dict(state(self._root, self._folder), record="state"))
        elif name == "modes":
            self._host.send(dict(self._told_modes(), record="modes"))
        elif name == "mode":
            self._host.send(dict(self._in_mode(command.get("name")), record="mode"))
        elif name == "clean":
            self._files.clean()
        else:
            raise AgentError(
                "malformed command: 'command' is one of block, generation, has, put, state, modes, mode, clean, quit"
            )

    def _told_modes(self) -> Record:
        """Return the names of the modes, the current one, and why it may not be changed."""
        names = list(find_modes(self._root))
        if not names:
            return {"modes": [], "mode": None, "refusal": "it has neither nvpmodel nor governors"}
        try:
            mode = name_of(self._root, current(self._root))
            return {"modes": names, "mode": mode, "refusal": refusal(self._root)}
        except AgentError as error:
            return {"modes": names, "mode": None, "refusal": str(error)}

    def _in_mode(self, name: Optional[str]) -> Record:
        if self._modes is None:
            raise AgentError("only the agent that holds the machine's lock sets its power mode")
        return self._modes.restore() if name is None else self._modes.set(name)

    def _put(self, command: Record) -> None:
        size = command.get("bytes")
        if not isinstance(size, int) or size < 0:
            raise AgentError(f"malformed command: 'bytes' cannot be {size!r}")
        pieces = self._host.take(size)
        try:
            self._files.put(command.get("sha256"), size, pieces)
        finally:
            for _ in pieces:  # the rest of a failed file is no command
                pass

    def _with_paths(self, command: Record) -> Record:
        """Return the block with the paths of the files that it names by their digests."""
        digests = {key: command[key] for key in ("artifact", "inputs") if command[key] is not None}
        paths = {key: self._files.path(digest) for key, digest in digests.items()}
        for key, path in paths.items():
            if not os.path.isfile(path):
                raise AgentError(f"the {key} {digests[key][:16]}... is not on this machine: put it first")
        return dict(command, **paths)

    def _run_block(self, command: Record) -> None:
        """Run a worker for the block to its end. Relay its records, and the sensors' readings from `settled` on."""
        sampler: Optional[Sampler] = None
        try:
            with WorkerProcess(self._host, self._runtime, command) as worker:
                for record in worker.records(command["timeout_seconds"]):
                    if record["record"] == "settled":
                        sampler = Sampler(self._root, command["rails"])
                    else:
                        self._host.send(record)
            if sampler is not None:
                stopped, sampler = sampler, None  # `stop` ends the process, even where it fails
                self._host.send(stopped.stop())
        finally:
            if sampler is not None:
                sampler.kill()
