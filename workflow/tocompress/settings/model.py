"""The config's `models`: a network at a size, with weights from a checkpoint or only initial ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from tocompress.models.registry import NETWORKS
from tocompress.settings.base import Count, Download, Name, Settings

if TYPE_CHECKING:
    _ImageNetwork = str
else:
    _ImageNetwork = Literal[tuple(network.name for network in NETWORKS.values() if network.kind == "cnn")]


class Checkpoint(Download):
    """A TensorFlow checkpoint: a single file, the prefix of several files, a folder, or an archive."""

    file: str | None = Field(
        None, min_length=1, description="checkpoint inside the archive or folder (null if there is only one)"
    )


def _of_path(checkpoint: object) -> object:
    return {"url": checkpoint} if isinstance(checkpoint, str) else checkpoint


class _Model(Settings):
    build: Literal["zoo", "published", "initial", "own"] = Field(description="source of the weights")
    width: float = Field(1.0, gt=0, le=4, description="depth multiplier, or for gnmt the fraction of 1,024 units")
    data: Name = Field(description="entry of `data` for its evaluation and its benchmark inputs")
    checkpoint: Annotated[
        Checkpoint | None, BeforeValidator(_of_path, json_schema_input_type=Checkpoint | str | None)
    ] = Field(None, description="required unless `build` is `initial` (a text is its `url`)")
    seed: int = Field(1, ge=0, description="seed of the initial weights")

    @model_validator(mode="after")
    def _weights_have_one_source(self) -> _Model:
        if (self.build == "initial") != (self.checkpoint is None):
            raise ValueError(f"build '{self.build}' " + ("takes no" if self.checkpoint else "needs a") + " checkpoint")
        return self

    @property
    def trained(self) -> bool:
        """Return whether the weights are trained. Without training, accuracy means nothing."""
        return self.build != "initial"


class ImageModel(_Model):
    """One of the ten convolutional networks."""

    task: ClassVar = "classification"

    network: _ImageNetwork = Field(description="network, by its name in TF-Slim")
    input_size: int = Field(ge=32, le=1024, description="height and width of the input in pixels")
    classes: int = Field(ge=2, description="number of outputs")


class TranslationModel(_Model):
    """The 4-layer GNMT."""

    task: ClassVar = "translation"

    network: Literal["gnmt"]
    source_vocabulary: int | None = Field(
        None, ge=4, description="number of source subwords (null: the size of the data's vocabulary, for a checkpoint)"
    )
    target_vocabulary: int | None = Field(None, ge=4, description="number of target subwords (null: likewise)")
    beam_width: Count = Field(1, description="width of the beam (1: greedy decoding)")


ModelSettings = Annotated[
    Annotated[ImageModel, Tag("image")] | Annotated[TranslationModel, Tag("translation")],
    Discriminator(
        lambda model: (
            "translation"
            if (model.get("network") if isinstance(model, dict) else getattr(model, "network", None)) == "gnmt"
            else "image"
        )
    ),
]
