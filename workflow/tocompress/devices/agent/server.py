"""The agent's parent process, which carries out the commands of a host."""

import json
import os
import select
import signal
import time
from typing import Iterator, Optional, Tuple

from tocompress.devices.agent.files import Files
from tocompress.devices.agent.host import SILENCE, AgentError, Host, Record, checked, one_line
from tocompress.devices.agent.machine import state
from tocompress.devices.agent.sampler import Sampler
from tocompress.devices.agent.worker import Runtime, be_worker


class Server:
    """The server of a host's commands, one after another. Its runtime is loaded already."""

    def __init__(self, host: Host, folder: str, root: str, runtime: Runtime) -> None:
        self._host = host
        self._folder = folder
        self._root = root
        self._runtime = runtime
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
            except (AgentError, OSError) as error:
                self._host.send({"record": "error", "error": one_line(error)})
            except (ValueError, TypeError, RecursionError) as error:
                self._host.send({"record": "error", "error": f"malformed command: {error}"})

    def _carry_out(self, command: Record) -> None:
        name = command.get("command")
        if name == "block":
            self._run_block(self._with_paths(checked(command)))
        elif name == "has":
            digests = command.get("sha256", [])
            self._host.send({"record": "has", "sha256": [digest for digest in digests if self._files.whole(digest)]})
        elif name == "put":
            self._put(command)
        elif name == "state":
            self._host.send(dict(state(self._root, self._folder), record="state"))
        elif name == "clean":
            self._files.clean()
        else:
            raise AgentError("malformed command: 'command' is one of block, has, put, state, clean, quit")

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
        """Run a worker for the block to its end. Raise AgentError when it fails."""
        worker, reader = self._fork_worker(command)
        try:
            error = self._relay_records(reader, command)
        except BaseException:
            os.kill(worker, signal.SIGKILL)
            raise
        finally:
            os.close(reader)
            _, status = os.waitpid(worker, 0)
        if error is None and os.WIFSIGNALED(status):
            error = f"the worker was ended by signal {os.WTERMSIG(status)}"
        elif error is None and status != 0:
            error = f"the worker ended with exit code {os.WEXITSTATUS(status)}"
        if error is not None:
            raise AgentError(error)

    def _fork_worker(self, command: Record) -> Tuple[int, int]:
        """Start a worker. Return its process, and the descriptor from which its records are read."""
        reader, writer = os.pipe()
        worker = os.fork()
        if worker == 0:
            os.close(reader)
            # An open copy here would keep the host waiting for a dead agent.
            os.close(self._host.output.fileno())
            os.close(self._host.descriptor)
            be_worker(self._runtime, command, writer)
        os.close(writer)
        return worker, reader

    def _relay_records(self, reader: int, command: Record) -> Optional[str]:
        """Relay the records of a worker, and of the sensors after its `settled`. Return the worker's error."""
        sampler: Optional[Sampler] = None
        error: Optional[str] = None
        try:
            for line in self._lines(reader, time.monotonic() + command["timeout_seconds"]):
                record = json.loads(line)
                if record["record"] == "error":
                    error = record["error"]
                elif record["record"] == "settled":
                    sampler = Sampler(self._root, command["rails"])
                else:
                    self._host.relay(line)
            if sampler is not None and error is None:
                stopped, sampler = sampler, None  # `stop` ends the process, even where it fails
                self._host.send(stopped.stop())
        finally:
            if sampler is not None:
                sampler.kill()
        return error

    def _lines(self, descriptor: int, deadline: float) -> Iterator[str]:
        """Yield lines of the worker until it closes its end. Raise AgentError when the deadline has passed."""
        pending = b""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise AgentError("the worker ran past its time limit")
            # The timeout lets the agent notice the host's silence.
            ready, _, _ = select.select([descriptor, self._host.descriptor], [], [], min(left, SILENCE / 4))
            if descriptor not in ready:
                self._host.listen()
                continue
            chunk = os.read(descriptor, 1 << 16)
            if not chunk:
                return  # the worker's death cut off the rest in `pending`
            whole, _, pending = (pending + chunk).rpartition(b"\n")
            yield from whole.decode().splitlines()
