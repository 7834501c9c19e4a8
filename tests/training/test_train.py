"""Training ends in a checkpoint that the study imports; a stopped run goes on."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from tocompress.checkpoints.acquire import imported
from tocompress.data.number_phrases import write_split as write_sentences
from tocompress.settings.data import NumberPhrases
from tocompress.settings.jobs import TrainJob
from tocompress.settings.model import Checkpoint, TranslationModel
from tocompress.settings.training import Training
from tocompress.training.train import train


@pytest.mark.long
def test_a_stopped_run_goes_on_and_its_checkpoint_is_imported(tmp_path):
    folder = Path(__file__).parents[2] / "zoo/number_phrases"
    data = NumberPhrases(
        kind="number_phrases",
        train=64,
        calibration=16,
        codes=str(folder / "codes.bpe"),
        source_vocabulary=str(folder / "vocabulary.en"),
        target_vocabulary=str(folder / "vocabulary.de"),
    )
    sizes = {"source_vocabulary": 395, "target_vocabulary": 420}
    model = TranslationModel(network="gnmt", build="initial", width=8 / 1024, data="phrases", **sizes)
    inputs = TrainJob(model=model, data=data, training=Training(epochs=2, batch_size=32))
    for split in ("train", "calibration"):
        write_sentences(tmp_path / split, data, split)
    arguments = {
        "examples": str(tmp_path / "train"),
        "validation": str(tmp_path / "calibration"),
        "checkpoint": tmp_path / "gnmt.tar.gz",
        "resume_folder": tmp_path / "resume",
    }

    class Stopped(Exception):
        pass

    def stop(_: str) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        train("gnmt", inputs, **arguments, report=stop)
    assert not arguments["checkpoint"].exists()

    history = train("gnmt", inputs, **arguments)
    assert set(history["epoch"]) == {1, 2}
    assert np.isfinite(history["value"]).all()
    assert not arguments["resume_folder"].exists()

    digest = hashlib.sha256(arguments["checkpoint"].read_bytes()).hexdigest()
    trained = model.model_copy(update={"checkpoint": Checkpoint(url="", sha256=digest)})
    weights = imported(trained, [arguments["checkpoint"]], tmp_path / "unpacked")
    assert sum(tensor.size for tensor in weights.values()) > 10_000
    assert all(np.isfinite(tensor).all() for tensor in weights.values())
