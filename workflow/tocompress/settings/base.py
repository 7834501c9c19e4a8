"""What all sections of the config have in common."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """A section of the config: no unknown keys, immutable, with one canonical text."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def canonical(self, **kept: Any) -> str:
        """The one JSON text of this section: what a job's parameters hold, so that only a real change is seen."""
        return json.dumps(self.model_dump(mode="json", **kept), sort_keys=True, separators=(",", ":"))


T = TypeVar("T")


def _each_once(entries: tuple[T, ...]) -> tuple[T, ...]:
    for entry in entries:
        if entries.count(entry) > 1:
            raise ValueError(f"'{entry}' is given twice; name each once")
    return entries


#: For a list in which nothing stands twice.
ONCE = AfterValidator(_each_once)

Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
