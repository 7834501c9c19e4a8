"""Install a lock file into the environment of this interpreter: its releases, their digests checked, and nothing else.

.venv/bin/python -I envs/install.py envs/requirements.txt

It runs from Python 3.7 on. The user's configuration of pip says how an index is reached, and takes no other part.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

PIP = [sys.executable, "-I", "-m", "pip"]
#: The settings of pip by which an index is reached. All others could change what is installed, or where.
ACCESS = {
    "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_TRUSTED_HOST", "PIP_PROXY",
    "PIP_CERT", "PIP_CLIENT_CERT", "PIP_KEYRING_PROVIDER", "PIP_TIMEOUT", "PIP_DEFAULT_TIMEOUT", "PIP_RETRIES",
    "PIP_CACHE_DIR", "PIP_NO_CACHE_DIR",
}  # fmt: skip


def install(lock: Path) -> None:
    """Install a lock file. Raise CalledProcessError where pip refuses, or finds that the packages do not fit."""
    environment = surroundings()
    exactly = [*PIP, "install", "-qq", "--disable-pip-version-check", "--no-compile", "--no-deps", "--require-hashes"]
    tools = build_tools(lock.read_text())
    if tools:
        # Some releases exist as sources only. pip would build them with the newest tools, whose digest no one checks.
        binary = [*exactly, "--only-binary", ":all:", "-r", "/dev/stdin"]
        subprocess.run(binary, input=tools, text=True, env=environment, check=True)
    subprocess.run([*exactly, "--no-build-isolation", "-r", str(lock)], env=environment, check=True)
    fits = subprocess.run([*PIP, "check"], env=environment, stdout=subprocess.PIPE, text=True)
    if fits.returncode:
        sys.stderr.write(fits.stdout)
        fits.check_returncode()


def surroundings() -> dict[str, str]:
    """Return the variables that pip sees: none of Python's, and of pip's those by which an index is reached."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if (name in ACCESS and value) or not name.startswith(("PIP_", "PYTHON"))
    }
    environment = {**kept, "PIP_CONFIG_FILE": os.environ.get("PIP_CONFIG_FILE", "")}
    command = [*PIP, "config", "list"]
    listed = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    configured = {}
    for section in ("global", "install"):  # the latter counts more, and a variable of the user's most
        for key, value in re.findall(rf"^{section}\.(\S+?)=(.+)$", listed, re.MULTILINE):
            configured["PIP_" + key.upper().replace("-", "_")] = ast.literal_eval(value)
    access = {name: value for name, value in configured.items() if name in ACCESS}
    return {**access, **kept, "PIP_CONFIG_FILE": os.devnull}


def build_tools(lock: str) -> str:
    """Return those lines of a lock file that pin what builds packages from their sources."""
    return "".join(re.findall(r"^(?:setuptools|wheel)==(?:.*\\\n)*.*\n", lock, re.MULTILINE))


if __name__ == "__main__":
    try:
        install(Path(sys.argv[1]))
    except subprocess.CalledProcessError as error:  # pip has said why
        sys.exit(error.returncode)
