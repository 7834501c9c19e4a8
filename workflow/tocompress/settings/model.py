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
    """Where a TensorFlow checkpoint is: a single file, the prefix of several, a folder, or an archive of one."""

    file: str | None = Field(
        None, min_length=1, description="checkpoint inside the archive or folder; null where there is just one"
    )


def _of_path(checkpoint: object) -> object:
    return {"url": checkpoint} if isinstance(checkpoint, str) else checkpoint


class _Model(Settings):
    build: Literal["zoo", "published", "initial", "own"] = Field(description="where the weights come from")
    width: float = Field(1.0, gt=0, le=4, description="depth multiplier; for gnmt the share of 1,024 units")
    data: Name = Field(description="entry of `data` it is evaluated on and takes its benchmark inputs from")
    checkpoint: Annotated[
        Checkpoint | None, BeforeValidator(_of_path, json_schema_input_type=Checkpoint | str | None)
    ] = Field(None, description="required unless `build` is `initial`; a text is its `url`")
    seed: int = Field(1, ge=0, description="of the initial weights")

    @model_validator(mode="after")
    def _weights_have_one_source(self) -> _Model:
        if (self.build == "initial") != (self.checkpoint is None):
            raise ValueError(f"build '{self.build}' " + ("takes no" if self.checkpoint else "needs a") + " checkpoint")
        return self

    @property
    def trained(self) -> bool:
        """Whether accuracy means anything."""
        return self.build != "initial"


class ImageModel(_Model):
    """One of the ten convolutional networks."""

    task: ClassVar = "classification"

    network: _ImageNetwork = Field(description="one of the ten of TF-Slim")
    input_size: int = Field(ge=32, le=1024, description="height and width of the input, pixels")
    classes: int = Field(ge=2, description="number of outputs")


class TranslationModel(_Model):
    """The 4-layer GNMT."""

    task: ClassVar = "translation"

    network: Literal["gnmt"]
    source_vocabulary: int | None = Field(
        None, ge=4, description="number of source subwords; null, of a checkpoint: as many as its data's vocabulary has"
    )
    target_vocabulary: int | None = Field(None, ge=4, description="number of target subwords, likewise")
    beam_width: Count = Field(1, description="1 is greedy decoding")


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
