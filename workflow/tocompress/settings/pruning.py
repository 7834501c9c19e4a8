"""The config's techniques that prune."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tocompress.settings.base import Count, Settings
from tocompress.settings.data import DataSettings
from tocompress.settings.model import ModelSettings
from tocompress.settings.training import Retraining


class Prune(Settings):
    """Structured pruning: filters and units are removed, what is left is retrained (paper, II-B)."""

    method: Literal["prune"]
    share: float = Field(
        ge=0,
        lt=1,
        description="of all filters and units that can be removed, those that are; 0 only retrains, as a control",
    )
    criterion: Literal["l1", "l2", "taylor", "random"] = Field(
        "l1", description="what ranks them: the norm of their weights, the loss without them, or chance"
    )
    ranking: Literal["global", "layerwise"] = Field(
        "global", description="the least important of all layers go, or the same share of each"
    )
    floor: Count = Field(2, description="filters or units that a layer keeps at least")
    round_to: Count = Field(1, description="a layer that loses any keeps a multiple of this")
    rounds: Count = Field(1, description="cuts, each followed by retraining, that the share is reached in")
    retrain: bool = Field(True, description="whether a trained model is retrained; one with initial weights never is")
    seed: int = Field(1, ge=0, description="of the criterion 'random'")

    @model_validator(mode="after")
    def _does_something(self) -> Prune:
        if self.share == 0 and not self.retrain:
            raise ValueError("share: 0 without retraining changes nothing; take 'fp32' instead")
        return self


class RankingInputs(Settings):
    """What one job ranks the channels of, on its dataset."""

    model: ModelSettings
    data: DataSettings


class PruningInputs(Settings):
    """What one job prunes: a model, by a technique, retrained on its dataset or not at all."""

    technique: Prune
    model: ModelSettings
    data: DataSettings
    retraining: Retraining | None
