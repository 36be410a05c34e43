"""The quick evaluation during training."""

from pathlib import Path

import pytest
import torch

from tests.helpers.label_sequences import write_release
from vidrep_pipelines.evaluation.label_propagation.config import FrameSize, PropagationConfig
from vidrep_pipelines.evaluation.label_propagation.settings import RunSettings
from vidrep_pipelines.evaluation.label_propagation.training_probe import LabelPropagationTrainingProbe
from vidrep_pipelines.models.layers.encoder import VisionTransformerEncoder

SETTINGS = RunSettings(
    propagation=PropagationConfig(radius=3, context_frames=3),
    frame_size=FrameSize(rule="exact", sides=(48, 64)),
    normalization="published",
    stamp="fixed",
)


def encoder() -> VisionTransformerEncoder:
    torch.manual_seed(0)
    return VisionTransformerEncoder(
        image_size=32, patch_size=8, channels=3, dimension=16, depth=1, heads=2, mlp_ratio=2.0
    ).eval()


def test_sample_world_is_measured_the_same_every_time() -> None:
    probe = LabelPropagationTrainingProbe(every=1, sequences=2, frames=4, settings=SETTINGS)
    scores = probe.measure(encoder())
    interval = {f"davis_j_and_f_{end}" for end in ("low", "high")}
    assert set(scores) == {"davis_j_and_f", *interval, "davis_j", "davis_f", "rankme"}
    assert scores["davis_j_and_f_low"] < scores["davis_j_and_f"] < scores["davis_j_and_f_high"]
    assert 1 < scores["rankme"] < 16
    assert scores["davis_j_and_f"] == pytest.approx((scores["davis_j"] + scores["davis_f"]) / 2)
    assert 0 < scores["davis_j_and_f"] < 100
    assert probe.measure(encoder()) == scores


def test_model_is_left_as_it_was() -> None:
    model = encoder()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    LabelPropagationTrainingProbe(every=1, sequences=1, frames=3, settings=SETTINGS).measure(model)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not model._forward_hooks
    with pytest.raises(AssertionError, match="Input height"):
        model(torch.zeros(1, 3, 48, 64))  # other sizes are refused again


def test_sequences_of_a_release_can_be_measured(tmp_path: Path) -> None:
    root = write_release("davis", tmp_path / "DAVIS")
    probe = LabelPropagationTrainingProbe(every=1, davis=root, sequences=1, frames=5, settings=SETTINGS)
    assert 0 < probe.measure(encoder())["davis_j"] < 100
