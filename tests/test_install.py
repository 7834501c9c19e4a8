"""Lock files hold all that is installed, and they are installed to the letter, whatever surrounds the installation."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]
ENVS = REPOSITORY / "envs"
LOCKS = sorted(path.name for path in ENVS.glob("requirements*.txt"))


def entries(lock: str) -> list[str]:
    """Return the entries of a lock file, each in one line."""
    return re.findall(r"^\w.*", re.sub(r" *\\\n *", " ", lock), re.MULTILINE)


def pins(lock: str) -> dict[str, Requirement]:
    """Return what a lock file pins for this interpreter, by name."""
    pinned = [Requirement(entry.partition(" --hash=")[0]) for entry in entries(lock)]
    return {canonicalize_name(pin.name): pin for pin in pinned if applies(pin)}


def applies(requirement: Requirement, extras: Iterable[str] = ()) -> bool:
    """Return whether this interpreter needs what a distribution with these extras requires."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_every_release_and_its_files(name: str) -> None:
    found = entries((ENVS / name).read_text())
    unpinned = [
        entry for entry in found if not re.fullmatch(r"[^ ;]+==[^ ;*]+( ; .+?)?( --hash=sha256:\w{64})+", entry)
    ]
    assert found and not unpinned


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-test.txt"])
def test_a_lock_pins_what_its_releases_require(name: str) -> None:
    pinned = pins((ENVS / name).read_text())
    for pin in pinned.values():
        distribution = metadata.distribution(pin.name)
        assert pin.specifier == SpecifierSet(f"=={distribution.version}"), "not the environment of the lock"
        for requirement in map(Requirement, distribution.requires or []):
            if applies(requirement, pin.extras):
                met = pinned[canonicalize_name(requirement.name)]
                fits = requirement.specifier.contains(metadata.version(met.name), prereleases=True)
                assert fits and requirement.extras <= met.extras, f"{pin} requires {requirement}, but pinned is {met}"


def test_the_plugin_for_slurm_comes_on_top_of_the_study() -> None:
    plugin, study, test = (
        pins((ENVS / name).read_text())
        for name in ("requirements-slurm.txt", "requirements.txt", "requirements-test.txt")
    )
    # Snakemake imports every plugin at each start, so no other lock has it.
    assert set(plugin) == {"snakemake-executor-plugin-slurm", "snakemake-executor-plugin-slurm-jobstep"}
    assert not set(plugin) & {*study, *test}


def test_the_conda_environment_pins_the_same() -> None:
    *_, last = yaml.safe_load((ENVS / "environment.yaml").read_text())["dependencies"]
    assert last["pip"] == entries((ENVS / "requirements.txt").read_text())


def test_the_installation_runs_on_the_python_of_older_boards() -> None:
    vermin = "from vermin import main; main()"
    command = [sys.executable, "-c", vermin, "-t=3.7-", "--no-tips", "--violations", str(ENVS / "install.py")]
    assert subprocess.run(command).returncode == 0


# An installation by the Makefile, from an index of small packages


@dataclass
class Project:
    """A folder with the project's Makefile and other lock files, and an index that holds also newer releases."""

    folder: Path
    index: Path

    def wheel(self, name: str, version: str, *requires: str, **modules: str) -> Path:
        """Add a package of these modules, whose extra is called `more`."""
        path = self.index / f"{name}-{version}-py3-none-any.whl"
        described = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Provides-Extra: more"]
        described += [f"Requires-Dist: {requirement}" for requirement in requires]
        with zipfile.ZipFile(path, "w") as wheel:
            for module, text in {"__init__": "", **modules}.items():
                wheel.writestr(f"{name}/{module}.py", text)
            wheel.writestr(f"{name}-{version}.dist-info/METADATA", "\n".join(described))
            wheel.writestr(f"{name}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr(f"{name}-{version}.dist-info/RECORD", "")
        return path

    def sources(self, name: str, version: str) -> Path:
        """Add a package as sources only, which setuptools has to build."""
        wheel = self.wheel(name, version)
        files = {
            "pyproject.toml": b'[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
            wheel.name: wheel.read_bytes(),
        }
        wheel.unlink()
        path = self.index / f"{name}-{version}.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for member, content in files.items():
                header = tarfile.TarInfo(f"{name}-{version}/{member}")
                header.size = len(content)
                archive.addfile(header, io.BytesIO(content))
        return path

    def lock(self, name: str, releases: Sequence[Path]) -> None:
        with (self.folder / "envs" / name).open("w") as lock:
            for path in releases:
                package, version, *_ = path.name.removesuffix(".tar.gz").split("-")
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                lock.write(f"{package}=={version} \\\n    --hash=sha256:{digest}\n")

    def install(self, environment: Mapping[str, str] | None = None) -> int:
        """Make the environment of the tests, and return the exit status."""
        command = ["make", "-f", "install.mk", "installed", f"PYTHON={sys.executable}"]
        plain = {"PATH": os.environ["PATH"], "HOME": str(self.folder / "home")}
        return subprocess.run(command, cwd=self.folder, env={**plain, **(environment or {})}).returncode

    def installed(self) -> dict[str, str]:
        listing = "from importlib import metadata; [print(d.name, d.version) for d in metadata.distributions()]"
        command = [self.folder / ".venv/bin/python", "-I", "-c", listing]
        lines = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
        return dict(line.split() for line in lines)

    def stamps(self) -> set[Path]:
        return {path for kind in ("study", "test") for path in (self.folder / ".venv").glob(f"{kind}-*")}


BUILD = """
import pathlib, shutil

def build_wheel(folder, config_settings=None, metadata_directory=None):
    wheel, = pathlib.Path().glob("*.whl")
    shutil.copy(wheel, folder)
    return wheel.name
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose environment was made where much is set that bears on Python and pip."""
    folder = tmp_path_factory.mktemp("project")
    project = Project(folder, folder / "index")
    for path in (project.index, folder / "envs", folder / "home/.config/pip", folder / "path"):
        path.mkdir(parents=True)
    (folder / "Makefile").write_text((REPOSITORY / "Makefile").read_text())
    (folder / "workflow/tocompress").mkdir(parents=True)
    for name in ("envs/install.py", "workflow/tocompress/surroundings.py", "config.yaml"):
        (folder / name).write_text((REPOSITORY / name).read_text())
    (folder / "install.mk").write_text("include Makefile\ninstalled: $(test_environment)\n")
    for name in ("requirements-tensorflow-1.15.txt", "requirements-slurm.txt"):
        (folder / "envs" / name).touch()

    setuptools = project.wheel("setuptools", "1", build_meta=BUILD)
    basis = project.wheel("basis", "1", "further; extra == 'more'")
    further = project.wheel("further", "1")
    asking = project.wheel("asking", "1", "basis[more]>=1")
    source = project.sources("source", "1")
    project.lock("requirements.txt", [setuptools, basis, further])
    project.lock("requirements-test.txt", [asking, source, setuptools, basis, further])
    for name in ("setuptools", "basis", "further", "asking"):
        project.wheel(name, "2")

    shutil.unpack_archive(further, folder / "path", "zip")
    (folder / "constraints.txt").write_text("basis==2\n")
    (folder / "home/.config/pip/pip.conf").write_text(
        f"[global]\nfind-links = {project.index}\nno-index = true\nconstraint = {folder}/constraints.txt\n"
        f"[install]\ntarget = {folder}/elsewhere\nno-binary = :all:\n"
    )
    hostile = {
        "PYTHONPATH": f"{folder}/path",
        "PYTHONHOME": "/nowhere",
        "PYTHONUSERBASE": f"{folder}/elsewhere",
        "PIP_PREFIX": f"{folder}/elsewhere",
        "PIP_ROOT": f"{folder}/elsewhere",
        "PIP_USER": "1",
        "PIP_DRY_RUN": "1",
        "PIP_PYTHON": "/nowhere",
        "PIP_QUIET": "3",
        "PIP_ONLY_BINARY": ":all:",
        "PIP_CONSTRAINT": f"{folder}/constraints.txt",
    }
    assert project.install(hostile) == 0
    return project


def test_an_environment_holds_the_releases_of_its_lock_whatever_surrounds_it(project: Project) -> None:
    expected = dict.fromkeys(("setuptools", "basis", "further", "asking", "source"), "1")
    assert project.installed().items() >= expected.items()
    assert len(project.stamps()) == 2 and not (project.folder / "elsewhere").exists()


def test_a_lock_that_lacks_a_requirement_is_refused(project: Project) -> None:
    before = project.stamps()
    project.lock("requirements-test.txt", [project.wheel("lacking", "1", "missing")])
    assert project.install() != 0 and project.stamps() == before


def test_a_file_of_another_digest_is_refused(project: Project) -> None:
    before = project.stamps()
    changed = project.wheel("changed", "1")
    project.lock("requirements-test.txt", [changed])
    project.wheel("changed", "1", "basis")
    assert project.install() != 0 and project.stamps() == before
    assert "changed" not in project.installed()
