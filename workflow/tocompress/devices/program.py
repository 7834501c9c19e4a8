"""Pack the agent as one zip that Python runs. The same sources give the same bytes on every machine."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

# A measurement depends on all modules that the main module imports, so it is imported here.
from tocompress.devices.agent import __main__ as agent

FOLDER = Path(agent.__file__).parent

_PACKAGE = "tocompress.devices.agent"

#: The names of the agent's modules.
MODULES = [f"{_PACKAGE}.{file.stem}" for file in sorted(FOLDER.glob("*.py")) if file.stem != "__init__"]


def program(folder: Path = FOLDER) -> bytes:
    """Return the zip of the agent's modules in a folder. Python starts with `__main__.py` at its root.

    The packages above the agent are empty in the zip. Times, modes and order of the files and this Python's version do
    not change its bytes.
    """
    package = _PACKAGE.replace(".", "/")
    files = {f"{parent}/__init__.py": b"" for parent in Path(package).parents if parent.name}
    for file in folder.glob("*.py"):
        name = file.name if file.name == "__main__.py" else f"{package}/{file.name}"
        files[name] = file.read_bytes()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name)  # of 1980
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # of Unix, wherever the zip is made
            archive.writestr(entry, files[name])
    return content.getvalue()


AGENT = program()
