"""What a job executes is inside its digest: small jobs run under a tracer."""

from __future__ import annotations

import ast
import json
import shutil
from functools import cache
from itertools import permutations, product
from pathlib import Path
from typing import Any

import keras
import pytest
import yaml
from PIL import Image
from small_study import REPOSITORY, SmallStudy

from tocompress.data.imagenet_labels import synset_labels
from tocompress.devices.program import MODULES
from tocompress.provenance import digests
from tocompress.provenance.source import STATEMENTS
from tocompress.runtimes import module
from tocompress.vocabulary.runtimes import SUFFIXES

#: The study has some 80 jobs.
pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

STUDY = Path(__file__).with_name("study.yaml")
FIGURES = yaml.safe_load(STUDY.read_text())["study"]["figures"]
TARGETS = (
    "all",
    "results/executed/zoo/mobilenet_v1.tar.gz",
    "results/executed/weights/own/mean.safetensors",
    "results/executed/figures/sensitivity_own.png",
    "results/executed/figures/quantization_sensitivity_own.png",
    "results/executed/data/photographs/test.parquet",
    "results/executed/data/texts/test.parquet",
    "results/executed/check/own.txt",
    "results/executed/bundles/litert/own/p50-i8",
    "results/executed/bundles/litert/gnmt/fp32",
    "results/executed/bundles/tensorflow/mobilenet_v1/fp32",
)
#: Another test may be measuring on this machine, which the check refuses.
CHECK = ("results/devices/host/check.txt", "--retries", "50")
#: The first fetches files from elsewhere, and has no digest. The second runs this workflow, whose jobs are traced here.
#: The third draws its result. The last chooses rows of a session in power modes, which this machine may lack.
NOT_RUN = {"download.py", "search.py", "plot_search.py", "mode.py"}
#: Run in every job, before anything else. Left out is what runs on import, and what modules call that no digest holds.
TRACER = """

def _trace():
    import atexit, json, sys, threading
    job, executed = sys.modules["__main__"], set()
    if not hasattr(job, "snakemake"):
        return
    job_script, library = Path(job.__file__).name, str(Path(__file__).parent)
    aside = ("errors.py", "running.py", "provenance")

    def is_left_out(frame):
        code = frame.f_code
        inside = code.co_filename.startswith(library)
        return inside and (code.co_name == "<module>" or code.co_filename[len(library) + 1:].startswith(aside))

    def trace(frame, event, _):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(library) and code.co_filename.endswith(".py"):
            place = code.co_filename[len(library) + 1:], code.co_firstlineno, code.co_name
            caller = frame if place not in executed else None
            while caller and not is_left_out(caller):
                caller = caller.f_back
                if not caller:
                    executed.add(place)

    def write():
        told = {"script": job_script, "code": dict(job.snakemake.params.items()).get("code")}
        file = Path("traces", f"{os.getpid()}.json")
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({**told, "executed": sorted(executed)}))

    atexit.register(write)
    threading.setprofile(trace)
    sys.setprofile(trace)

_trace()
"""


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return the script, the digest and the executed functions of every job of a small study."""
    study = SmallStudy(tmp_path_factory.mktemp("traced"))
    shutil.copy(STUDY, study.folder)
    shutil.make_archive(str(study.folder / "texts"), "gztar", REPOSITORY / "zoo/number_phrases")
    for synset in list(synset_labels())[:2]:
        (study.folder / "photographs" / synset).mkdir(parents=True)
        Image.new("RGB", (64, 48)).save(study.folder / "photographs" / synset / "0.JPEG")
    with_own_model(study.folder)
    with (study.folder / "workflow/tocompress/running.py").open("a") as module:
        module.write(TRACER)
    for targets in (TARGETS, CHECK, ["results/executed/package.zip"], ["verify"], ["clean_devices"]):
        assert study.run(*targets).end() == 0, study.runs[-1].text
    shutil.copytree(study.folder / "results/executed", study.folder / "results/another")
    assert study.run("results/executed/compare/another.html").end() == 0, study.runs[-1].text
    return [json.loads(file.read_text()) for file in sorted((study.folder / "traces").iterdir())]


def with_own_model(folder: Path) -> None:
    """Put a model of one's own there, with pictures of two classes."""
    for label in ("rose", "tulip"):
        (folder / "pictures" / label).mkdir(parents=True)
        for number in range(20):
            Image.new("RGB", (20, 20), (number, 90, 90)).save(folder / "pictures" / label / f"{number}.png")
    layers = keras.layers
    head = [layers.GlobalAveragePooling2D(), layers.Dense(2, activation="softmax")]
    convolutions = [layers.Conv2D(32, 3), layers.BatchNormalization(), layers.ReLU(), layers.Conv2D(8, 3)]
    keras.Sequential([keras.Input((16, 16, 3)), *convolutions, *head]).save(folder / "own.keras")


def reached(script: str, code: str | None) -> frozenset[digests.Place]:
    """Return what is inside the digest that a job was given, with the modules that its rule names."""
    rooms = ("models", "data", "compression/quantization", *(f"runtimes/{runtime}" for runtime in SUFFIXES))
    alone = [
        f"tocompress.{room.replace('/', '.')}.{file.stem}"
        for room in rooms
        for file in (digests.LIBRARY / room).glob("*.py")
    ]
    figures = [f"tocompress.reporting.figures.{figure}" for figure in FIGURES]
    on_device = [
        (*MODULES, *(module(runtime, "operations") for runtime in runtimes))
        for count in range(1, 1 + len(SUFFIXES))
        for runtimes in permutations(SUFFIXES, count)
    ]
    programs = [
        (f"tocompress.bundles.programs.{task}", f"tocompress.bundles.programs.{runtime}")
        for task, runtime in product(("classification", "translation"), SUFFIXES)
    ]
    one = [(name,) for name in alone + figures]
    for modules in [(), *one, tuple(figures), tuple(MODULES), *on_device, *programs]:
        if code in (None, digests.code_digest(script, *modules)):
            return digests.reached(script, *modules)
    raise AssertionError(f"{script}: was given a digest of other code")


@cache
def definition(file: str, line: int) -> digests.Place:
    """Return the definition in which a line stands."""
    path = digests.LIBRARY / file
    for statement in ast.parse(path.read_text()).body:
        first = min([statement.lineno, *(each.lineno for each in getattr(statement, "decorator_list", []))])
        if first <= line <= (statement.end_lineno or line):
            stored = (node.id for node in ast.walk(statement) if isinstance(getattr(node, "ctx", None), ast.Store))
            return path, getattr(statement, "name", None) or next(stored, STATEMENTS)
    raise AssertionError(f"{file}:{line} stands in no definition")


def test_every_function_that_a_job_executes_is_inside_its_digest(jobs: list[dict[str, Any]]) -> None:
    for job in jobs:
        executed = {definition(file, line) for file, line, _ in job["executed"]}
        assert executed - reached(job["script"], job["code"]) == set(), job["script"]


def test_jobs_of_the_scripts_were_traced(jobs: list[dict[str, Any]]) -> None:
    scripts = {file.name for file in (REPOSITORY / "workflow/scripts").iterdir()}
    assert scripts - NOT_RUN - {job["script"] for job in jobs} == set()
    assert all(job["executed"] for job in jobs)
