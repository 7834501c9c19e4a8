"""Read values from virtual files of Linux, for example under /sys and /proc."""

import glob
import os
import re
import subprocess
from typing import Dict, Optional


def read(path: str) -> Optional[str]:
    """Return the content of a file, or None where it cannot be read."""
    try:
        with open(path, errors="replace") as file:
            return file.read().rstrip("\0\n")
    except OSError:
        return None


def readable(root: str, *patterns: str) -> Dict[str, str]:
    """Return path -> content of the files under `root` that match any of the patterns and can be read."""
    paths = sorted(path for pattern in patterns for path in glob.glob(os.path.join(root, pattern)))
    contents = {path[len(root.rstrip("/")) :].lstrip("/"): read(path) for path in paths}
    return {path: content for path, content in contents.items() if content is not None}


def first_line(root: str, path: str) -> Optional[str]:
    """Return the first line of a file under `root`, or None where it is empty or cannot be read."""
    content = read(os.path.join(root, path))
    return content.split("\n")[0] if content else None


def celsius(path: str) -> Optional[float]:
    """Return the temperature in a file of thousandths of a degree, or None where it holds none."""
    try:
        return int(read(path) or "") / 1000
    except ValueError:
        return None


def memory_bytes(text: Optional[str], key: str) -> Optional[int]:
    """Return the bytes of the line `key: 123 kB` in a text of /proc, or None where there is no such line."""
    match = re.search(r"^" + key + r":\s*(\d+) kB$", text or "", re.MULTILINE)
    return int(match.group(1)) * 1024 if match else None


def output_of(*command: str) -> Optional[str]:
    """Return the output of a program of the board on one line, or None if it is absent or fails."""
    return "; ".join(printed_by(*command).split("\n")).strip("; ") or None


def printed_by(*command: str) -> str:
    """Return the lines that a program of the board prints. They are empty if it is absent or takes too long."""
    try:
        finished = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return finished.stdout.decode(errors="replace")
