"""Read the files of one of two studies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import pyarrow as pa

from tocompress.schemas.benchmark import TABLES
from tocompress.schemas.study import ARTIFACT, IMAGE_PREDICTIONS, SENTENCE_PREDICTIONS, STUDY
from tocompress.tables import columns, read_table


@dataclass(frozen=True)
class Side:
    """A study: its name, its table, and its files by the last four parts of their paths."""

    name: str
    study: pd.DataFrame
    files: Mapping[tuple[str, str, str, str], Path]

    @cached_property
    def devices(self) -> list[str]:
        """Return the devices with a session."""
        return sorted({device for kind, device, _, _ in self.files if kind == "benchmarks"})

    def models_on(self, device: str) -> list[str]:
        """Return the models with a session on a device."""
        found = {model for kind, place, model, _ in self.files if (kind, place) == ("benchmarks", device)}
        return sorted(found)

    def table(self, device: str, model: str, name: str) -> pd.DataFrame:
        """Return a table of a session. A session that lacks it has an empty one."""
        file = self.files.get(("benchmarks", device, model, name))
        return TABLES[name].empty_table().to_pandas() if file is None else read_table(file, TABLES[name])

    def facts(self, device: str, model: str) -> dict[str, str]:
        """Return the facts of a session that are known."""
        told = self.table(device, model, "session").dropna(subset="value")
        return dict(zip(told["key"], told["value"], strict=True))

    def predictions(self, runtime: str, model: str, variant: str) -> pd.DataFrame | None:
        """Return the predictions of a variant, or None without any."""
        file = self.files.get(("predictions", runtime, model, variant))
        return None if file is None else read_table(file, _of_predictions(file))

    @cached_property
    def digests(self) -> dict[tuple[str, str, str], str]:
        """Return the digest of each artifact, by runtime, model and variant."""
        facts = {key[1:]: read_table(file, ARTIFACT) for key, file in self.files.items() if key[0] == "artifacts"}
        return {key: str(table["sha256"].iloc[0]) for key, table in facts.items()}


def read_side(name: str, study: str | Path, files: Iterable[str | Path]) -> Side:
    """Return a study. The path of a file ends like `benchmarks/host/vgg_16/latency.parquet`."""
    return Side(name, read_table(study, STUDY), {_key(Path(file)): Path(file) for file in files})


def _key(file: Path) -> tuple[str, str, str, str]:
    kind, first, second = file.parts[-4:-1]
    return kind, first, second, file.stem


def _of_predictions(file: Path) -> pa.Schema:
    return IMAGE_PREDICTIONS if "label" in columns(file) else SENTENCE_PREDICTIONS
