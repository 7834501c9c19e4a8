"""Damage to valid files, by chance but repeatable, and that those who read them take it well."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np

from tocompress.errors import StudyError

#: Of data beyond what the process holds, bytes; and of time, seconds: what reading a small file must not take.
MEMORY, PATIENCE_S = 1 << 30, 20

_EXTREMES = [
    value.to_bytes(size, order, signed=True)
    for size in (1, 2, 4, 8)
    for value in (0, -1, (1 << 8 * size - 1) - 1, -(1 << 8 * size - 1), 1 << 8 * size - 2)
    for order in ("little", "big")
]

#: Of each reader: itself, the name of its file, and what makes valid ones in a folder.
Readers = dict[str, tuple[Callable[[Path], object], str, Callable[[Path], list[bytes]]]]


def mutated(data: bytes, others: Sequence[bytes], random: np.random.Generator) -> bytes:
    """`data` after one to four changes: of bits, of numbers, of length, or with a piece of itself or another file."""
    for _ in range(random.integers(1, 5)):
        start, stop = sorted(random.integers(0, len(data) + 1, 2).tolist())
        piece = data[start:stop][: random.integers(1, 65)]
        match random.integers(7):
            case 0:
                data = _flipped(data, random)
            case 1:
                extreme = _EXTREMES[random.integers(len(_EXTREMES))]
                data = data[:start] + extreme + data[start + len(extreme) :]
            case 2:
                data = data[:start]
            case 3:
                data = data[:start] + random.bytes(random.integers(1, 17)) + data[start:]
            case 4:
                data = data[:start] + data[start + len(piece) :]
            case 5:
                data = data[:stop] + piece * int(random.integers(1, 5)) + data[stop:]
            case _:
                other = others[random.integers(len(others))]
                cut = random.integers(0, len(other) + 1)
                data = data[:start] + other[cut:]
    return data


def _flipped(data: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for place in random.integers(0, len(data), random.integers(1, 9)) if data else ():
        changed[place] ^= 1 << int(random.integers(8))
    return bytes(changed)


def check_reader(
    read: Callable[[Path], object], path: Path, valid: Sequence[bytes], *, count: int, seed: int = 1
) -> None:
    """Have `read` read `path`, with each of `valid` and then `count` mutations of them in it.

    It may return, or raise a StudyError of one line that names the file; and takes neither long nor much memory.
    """
    for content in valid:
        path.write_bytes(content)
        read(path)
    with bounded_memory():  # from here on: libraries reserve memory when they are first used
        refused = 0
        for number in range(count):
            random = np.random.default_rng([seed, number])
            path.write_bytes(mutated(valid[number % len(valid)], valid, random))
            try:
                with _in_time():
                    read(path)
            except StudyError as error:
                refused += 1
                assert path.name in str(error) and "\n" not in str(error), f"mutation {number} of seed {seed}: {error}"
            except BaseException as error:
                error.add_note(f"mutation {number} of seed {seed}: {path.read_bytes()[:2000]!r}")
                raise
    assert refused > 0, "no mutation did any harm"


def check_damage(
    read: Callable[[Path], object],
    name: str,
    valid: Callable[[Path], list[bytes]],
    folder: Path,
    *,
    count: int,
    seed: int = 1,
) -> None:
    """`check_reader` of an entry of `Readers`, whose file is alone in its folder."""
    (folder / "files").mkdir()
    check_reader(read, folder / "files" / name, valid(folder), count=count, seed=seed)


def chosen_seed() -> int:
    """FUZZ_SEED of the environment, so that a run looks where none has looked; the same each time without."""
    return int(os.environ.get("FUZZ_SEED") or 2)


@contextmanager
def bounded_memory() -> Iterator[None]:
    """No more memory than `MEMORY` beyond what the process holds."""
    if sys.platform != "linux":  # elsewhere, such limits do not hold
        yield
        return
    status = Path("/proc/self/status").read_text(encoding="ascii")
    held = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData"))
    limits = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (held + MEMORY, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, limits)


@contextmanager
def _in_time() -> Iterator[None]:
    def late(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"more than {PATIENCE_S} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(PATIENCE_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
