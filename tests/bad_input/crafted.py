"""Archives and checkpoints byte by byte, also such as no program would write."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import google_crc32c

_MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
FLOAT = 1
VALUES = struct.pack("<4f", 1, 2, 3, 4)


def tar(*members: tuple[str, bytes] | tarfile.TarInfo, mode: str = "w:gz") -> bytes:
    """Of files (name, content), and of members that have none; the same bytes at any time."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode.removesuffix(":gz")) as archive:  # type: ignore[call-overload]
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                archive.addfile(_member(member[0], size=len(member[1])), io.BytesIO(member[1]))
    return gzip.compress(file.getvalue(), mtime=0) if mode.endswith(":gz") else file.getvalue()


def special(name: str = "model.ckpt", **fields: object) -> tarfile.TarInfo:
    """A member of an archive with these fields of its header."""
    return _member(name, **fields)


def zipped(files: Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def checkpoint_v2(
    variables: Mapping[str, bytes], header: bytes | None = None, values: bytes | None = VALUES
) -> dict[str, bytes]:
    """The files of a checkpoint with these entries in its index."""
    table = {
        b"": _header() if header is None else header,
        **{name.encode(): value for name, value in variables.items()},
    }
    files = {"model.ckpt.index": table_of(table)}
    return files if values is None else {**files, "model.ckpt.data-00000-of-00001": values}


def entry(
    *,
    kind: int = FLOAT,
    shape: Sequence[int] = (4,),
    offset: int = 0,
    size: int = 16,
    shard: int = 0,
    rest: bytes = b"",
) -> bytes:
    """A BundleEntryProto, whose checksum is that of VALUES."""
    numbers = [field(1, kind), field(2, _shape(shape)), field(3, shard), field(4, offset), field(5, size)]
    return b"".join(numbers) + varint(6 << 3 | 5) + struct.pack("<I", checksum(VALUES)) + rest


def checkpoint_v1(*, kind: int = FLOAT, shape: Sequence[int] = (4,), values: bytes = VALUES, name: str = "w") -> bytes:
    """The one file of a checkpoint of the variable `w`; values are those of the variable `name`."""
    return table_of({b"": _shapes_v1(kind, shape), b"w": _values_v1(name, values)})


def messages_v1(shape: Sequence[int] = (4,)) -> bytes:
    """What its table holds, as one SavedTensorSlices of shape and values."""
    return _shapes_v1(FLOAT, shape) + _values_v1("w", VALUES)


def table_of(entries: Mapping[bytes, bytes]) -> bytes:
    """A table of LevelDB's format, whose checksums are right."""
    file, handles = b"", []
    last = max(entries, default=b"") + b"\xff"
    for block in (_block(entries), _block({})):
        handles.append(varint(len(file)) + varint(len(block)))
        file += _sealed(block)
    index = _block({last: handles[0]})
    footer = handles[1] + varint(len(file)) + varint(len(index))
    return file + _sealed(index) + footer.ljust(40, b"\0") + _MAGIC


def field(number: int, value: int | bytes) -> bytes:
    """A field of a protocol buffer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    """A number of 64 bits, also a negative one, of 7 bits a byte."""
    value &= (1 << 64) - 1
    digits = bytearray()
    while value >= 128:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])


def checksum(data: bytes) -> int:
    """CRC-32C, masked as LevelDB stores it."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _shapes_v1(kind: int, shape: Sequence[int]) -> bytes:
    return field(1, field(1, field(1, b"w") + field(2, _shape(shape)) + field(3, kind)))


def _values_v1(name: str, values: bytes) -> bytes:
    tensor = field(1, FLOAT) + field(5, values)
    return field(2, field(1, name.encode()) + field(2, b"") + field(3, tensor))


def _header() -> bytes:
    return field(1, 1) + field(3, field(1, 1))


def _shape(sizes: Sequence[int]) -> bytes:
    return b"".join(field(2, field(1, size)) for size in sizes)


def _block(entries: Mapping[bytes, bytes]) -> bytes:
    content = b"".join(
        varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in entries.items()
    )
    return content + struct.pack("<II", 0, 1)


def _sealed(block: bytes) -> bytes:
    uncompressed = block + b"\0"
    return uncompressed + struct.pack("<I", checksum(uncompressed))


def _member(name: str, **fields: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(member, key, value)
    return member
