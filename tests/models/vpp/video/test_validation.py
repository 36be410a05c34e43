import logging

import pytest
import torch

from tests.models.vpp.video.spoken import make_video_task
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion
from vidrep_pipelines.models.vpp.video.validation import VideoValidation


@pytest.fixture(scope="module")
def validation(tmp_path_factory: pytest.TempPathFactory) -> VideoValidation:
    task = make_video_task(tmp_path_factory.mktemp("video")).on_split("validation")
    assert task is not None
    return VideoValidation(task=task, items=5, batch_size=2, quantiles=(0.1, 0.5, 0.9), predicted_items=2)


@pytest.fixture(scope="module")
def model(validation: VideoValidation) -> VideoDiffusion:
    torch.manual_seed(0)
    return validation.task.build_model().eval()


def test_the_same_model_gets_the_same_scores(validation: VideoValidation, model: VideoDiffusion) -> None:
    scores = validation.measure(model)
    torch.rand(7)
    assert validation.measure(model) == scores
    assert list(scores) == ["loss", "loss_sigma_0.259", "loss_sigma_2.01", "loss_sigma_15.7", "motion_ratio"]
    levels = [value for name, value in scores.items() if "sigma" in name]
    assert scores["loss"] == pytest.approx(sum(levels) / 3)


def test_losses_do_not_depend_on_the_batches(validation: VideoValidation, model: VideoDiffusion) -> None:
    whole = validation.model_copy(update={"batch_size": 5}).losses(model)
    assert whole == pytest.approx(validation.losses(model), rel=1e-4)


def test_a_perfect_denoiser_has_no_loss(
    validation: VideoValidation, model: VideoDiffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = validation.task.build_dataset()
    truth = [dataset[key]["latents"] for key in validation.task.fixed_items(5)]
    batches = iter(
        [*[torch.stack(truth[:2])] * 3, *[torch.stack(truth[2:4])] * 3, *[torch.stack(truth[4:])] * 3]
    )
    monkeypatch.setattr(VideoDiffusion, "denoise", lambda self, *conditions: next(batches))
    assert set(validation.losses(model).values()) == {0.0}


def test_predictions_that_stand_still_raise_an_alarm(
    validation: VideoValidation,
    model: VideoDiffusion,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def still(self: VideoDiffusion, noisy: torch.Tensor, *conditions: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(noisy)

    with caplog.at_level(logging.WARNING):
        assert validation.motion(model)["motion_ratio"] > 0.1  # noise moves
        assert "stand still" not in caplog.text
        monkeypatch.setattr(VideoDiffusion, "denoise", still)
        assert validation.motion(model)["motion_ratio"] < 1e-6
    assert "stand still" in caplog.text
    assert validation.model_copy(update={"predicted_items": 0}).motion(model) == {}


def test_a_pydantic_round_trip_keeps_it(validation: VideoValidation) -> None:
    assert VideoValidation.model_validate(validation.model_dump(mode="json")) == validation
