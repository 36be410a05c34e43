"""What is measured of an occupancy model on held-out episodes while it is trained."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models.voc.tiny import make_config, make_episodes
from vidrep_pipelines.adapters.voc_validation import VocValidation
from vidrep_pipelines.data.token_episodes.file import write_token_episodes
from vidrep_pipelines.models.voc.config import TargetConfig, VocObjectiveConfig
from vidrep_pipelines.models.voc.task import VocTask


def validation(folder: Path, *, reward: bool = True, gamma: float = 0.3, **options: Any) -> VocValidation:
    """Of a tiny model, on a long held-out episode."""
    lengths = (14, 9, 30)
    write_token_episodes(folder / "tokens.h5", make_episodes(lengths))
    task = VocTask(
        tokens=(folder / "tokens.h5",),
        split="validation",
        model=make_config(reward=reward),
        objective=VocObjectiveConfig(target=TargetConfig(gamma=gamma)),
    )
    return VocValidation(task=task, **{"contexts": 4, "samples": 3, **options})


def built(measured: VocValidation) -> Any:
    torch.manual_seed(0)
    return measured.task.build_model().eval()


def test_the_loss_is_a_mean_over_the_same_contexts_every_time(tmp_path: Path) -> None:
    measured = validation(tmp_path, evaluate=False, batch_size=4)
    model = built(measured)
    first = measured.measure(model)
    assert first == measured.measure(model) and set(first) >= {"loss", "loss_reward"}
    whole = validation(tmp_path, evaluate=False, batch_size=512).measure(model)
    assert whole["loss"] == pytest.approx(first["loss"], rel=1e-5)
    few = validation(tmp_path, evaluate=False, items=3).measure(model)
    assert few["loss"] != first["loss"]


def test_values_are_measured_as_in_the_evaluation(tmp_path: Path) -> None:
    measured = validation(tmp_path)
    scores = measured.measure(built(measured))
    assert {"loss", "value_error", "value_error_constant"} <= scores.keys()
    without = validation(tmp_path, reward=False)
    assert "value_error" not in without.measure(built(without))


def test_episodes_that_are_too_short_for_values_do_not_end_a_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    measured = validation(tmp_path, gamma=0.99)
    with caplog.at_level(logging.WARNING):
        scores = measured.measure(built(measured))
    assert "loss" in scores and "value_error" not in scores
    assert "values are not measured while training" in caplog.text
