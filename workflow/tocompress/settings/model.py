"""The config's `models`: a network at a size, with weights from a checkpoint or only initial ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from tocompress.models.registry import KERAS, NETWORKS
from tocompress.settings.base import Count, Download, Name, Settings
from tocompress.weights import ModelMetadata

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

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return height, width and channels of the input."""
        return self.input_size, self.input_size, 3


class KerasModel(Settings):
    """A network of one's own, as a file of Keras or a SavedModel. Its sizes are read from the file."""

    task: ClassVar = "classification"
    trained: ClassVar = True

    network: Literal["keras"]
    build: Literal["own"] = Field("own", description="source of the weights: the file")
    file: str = Field(description="model: a .keras or .h5 file, or the folder of a SavedModel")
    data: Name = Field(description="entry of `data`, of the kind `folders`")


class FileModel(KerasModel):
    """A network of one's own with the facts of its file. Jobs make it, and no config holds it."""

    shape: tuple[int, int, int]  # height, width and channels of the input
    classes: int
    graph: str  # JSON of `models.flat`
    takes_pixels: bool


class TranslationModel(_Model):
    """The 4-layer GNMT."""

    task: ClassVar = "translation"

    network: Literal["gnmt"]
    source_vocabulary: int | None = Field(
        None, ge=4, description="number of source subwords (null: the size of the data's vocabulary, for a checkpoint)"
    )
    target_vocabulary: int | None = Field(None, ge=4, description="number of target subwords (null: likewise)")
    beam_width: Count = Field(1, description="width of the beam (1: greedy decoding)")


#: Models of the study's eleven networks.
NetworkModel = ImageModel | TranslationModel


def _tag(model: object) -> str:
    network = model.get("network") if isinstance(model, dict) else getattr(model, "network", None)
    return {"gnmt": "translation", KERAS: "keras"}.get(str(network), "image")


ModelSettings = Annotated[
    Annotated[ImageModel, Tag("image")]
    | Annotated[TranslationModel, Tag("translation")]
    | Annotated[KerasModel, Tag("keras")],
    Discriminator(_tag),
]


def with_facts(model: ModelSettings, metadata: ModelMetadata) -> ModelSettings:
    """Return a model of one's own with the facts of its weights file. Other models have them in the config."""
    if not isinstance(model, KerasModel):
        return model
    facts = {key: getattr(metadata, key) for key in ("shape", "classes", "graph", "takes_pixels")}
    return FileModel(**model.model_dump(), **facts)
