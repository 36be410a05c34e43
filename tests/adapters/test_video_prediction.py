"""A trained video model behind the plain functions that the evaluation calls."""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from tests.models.vpp.video.tiny import with_other_camera, write_clip_image_folder
from tests.models.vpp.video.trained import publish_video_model
from vidrep_pipelines.adapters.video_prediction import (
    TrainedVideo,
    clip_rule,
    facts_of_run,
    measured_system,
    measured_videos,
    middle_noise_levels,
    trained_name,
)
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.evaluation.video_prediction.config import VideoEvaluationConfig
from vidrep_pipelines.evaluation.video_prediction.system import (
    MODEL,
    PREDICTORS,
    WITHOUT_TEXT,
    MeasuredSystem,
)
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.video.config import VideoObjectiveConfig, VideoSamplingConfig
from vidrep_pipelines.models.vpp.video.inference import VideoPredictor
from vidrep_pipelines.models.vpp.video.mixture import ClipRule, MixtureConfig
from vidrep_pipelines.models.vpp.video.objective import (
    draw_video_randomness,
    normal_of,
    video_objective,
)
from vidrep_pipelines.training.config import LaunchConfig

SAMPLING = VideoSamplingConfig(steps=2, guidance=2.0, sigma_max=10.0)
TEXTS = ["push the red cup", "lift the blue ball"]
SEEDS = [3, 4]
CPU = torch.device("cpu")


class Measured(NamedTuple):
    trained: TrainedVideo
    predictor: VideoPredictor
    system: MeasuredSystem
    spec: dict[str, Any]
    videos: torch.Tensor


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    task, checkpoint, spec = publish_video_model(tmp_path_factory.mktemp("video"))
    trained = TrainedVideo.of(checkpoint, spec, Checkpoint.of(task.codec), SAMPLING)
    predictor = trained.load(CPU)
    frames = [FrameStore(task.frames).frames_at(view, slice(view, view + 4)) for view in range(2)]
    videos = torch.from_numpy(np.stack(frames)).movedim(-1, -3).float() / 255
    return Measured(trained, predictor, measured_system(trained, predictor, 3), spec, videos)


def test_noise_levels_are_the_medians_of_equally_probable_parts() -> None:
    config = VideoObjectiveConfig()
    normals = (middle_noise_levels(config, 4).log() - config.noise_mean) / config.noise_deviation
    shares = torch.special.ndtr(normals)
    torch.testing.assert_close(shares, torch.tensor([1, 3, 5, 7]) / 8)


def test_the_model_predicts_as_it_does_by_itself(measured: Measured) -> None:
    first = measured.videos[:, 0]
    videos = measured.system.predict(first, TEXTS, SEEDS)
    torch.testing.assert_close(videos, measured.predictor.predict(first, TEXTS, SEEDS, SAMPLING))
    assert measured.system.frames == videos.shape[1] == 4
    assert measured.system.digest == measured.trained.digest


def test_without_text_nothing_is_told_but_the_noise_is_the_same(measured: Measured) -> None:
    first = measured.videos[:, 0]
    system, predictor = measured.system, measured.predictor
    silent = system.predict_without_text(first, TEXTS, SEEDS)
    torch.testing.assert_close(silent, system.predict_without_text(first, TEXTS[::-1], SEEDS))
    assert not torch.allclose(silent, system.predict_without_text(first, TEXTS, SEEDS[::-1]), atol=1e-3)
    plain = SAMPLING.model_copy(update={"guidance": 1.0})
    told = predictor.predict(first, TEXTS, SEEDS, plain)
    assert silent.shape == told.shape and not torch.allclose(silent, told, atol=1e-4)


def test_the_round_trip_is_that_of_the_codec(measured: Measured) -> None:
    first = measured.videos[:, 0]
    codec = measured.predictor.codec
    expected = (codec.decode(codec.encode(first * 2 - 1)) / 2 + 0.5).clamp(0, 1)
    torch.testing.assert_close(measured.system.round_trip(first), expected)


def test_losses_are_the_objective_at_each_level_with_and_without_text(measured: Measured) -> None:
    losses = measured.system.noise_losses(measured.videos, TEXTS, SEEDS)
    assert losses.keys() == {MODEL, WITHOUT_TEXT} and losses[MODEL].shape == (2, 3)
    assert not torch.allclose(losses[MODEL], losses[WITHOUT_TEXT], rtol=1e-4)
    alone = measured.system.noise_losses(measured.videos[1:], TEXTS[1:], SEEDS[1:])
    torch.testing.assert_close(alone[MODEL][0], losses[MODEL][1], rtol=1e-3, atol=1e-4)
    predictor, objective = measured.predictor, measured.trained.task.objective
    latents = predictor.encode(measured.videos.flatten(0, 1)).reshape(2, 4, -1, 4, 4)
    drawn = draw_video_randomness(torch.tensor(SEEDS), tuple(latents.shape[1:]), CPU)
    level = normal_of(torch.tensor(measured.system.noise_levels[1]), objective).expand(2)
    randomness = replace(drawn, text_uniform=torch.ones(2), sigma_normal=level)
    outputs = video_objective(predictor.model, latents, *predictor.tokenizer(TEXTS), randomness, objective)
    torch.testing.assert_close(losses[MODEL][:, 1], outputs.losses, rtol=1e-3, atol=1e-4)


def test_a_clip_is_the_middle_one_of_training(measured: Measured) -> None:
    mixture = MixtureConfig(
        datasets={"tabletop": 0.5, "tabletop_two": 0.5},
        rules={"tabletop": ClipRule(stride=2, least_frames=4), "tabletop_two": ClipRule(stride=3)},
    )
    assert trained_name(mixture, "tabletop_held_out") == "tabletop"
    assert trained_name(mixture, "tabletop_two_b") == "tabletop_two"
    assert trained_name(mixture, "bridge") == "bridge"
    rule = clip_rule(measured.trained.task.model_copy(update={"mixture": mixture}))
    strided = rule("tabletop_held_out", 13)  # begins at 0, 2, 4, 6 and 8
    assert strided is not None and strided.tolist() == [4, 6, 8, 10]
    assert rule("tabletop", 3) is None
    whole = rule("bridge", 10)  # as published, as it was not trained on
    assert whole is not None and whole.tolist() == [0, 3, 6, 9]


def test_the_digest_changes_with_all_that_changes_predictions_or_losses(measured: Measured) -> None:
    trained = measured.trained
    other_loss = trained.task.model_copy(update={"objective": VideoObjectiveConfig(text_dropout=0.3)})
    changed = [
        TrainedVideo(trained.checkpoint, trained.codec, trained.task, VideoSamplingConfig(steps=9)),
        TrainedVideo(trained.checkpoint, trained.codec, other_loss, SAMPLING),
        TrainedVideo(trained.codec, trained.codec, trained.task, SAMPLING),
        TrainedVideo(trained.checkpoint, trained.checkpoint, trained.task, SAMPLING),
    ]
    assert len({trained.digest, *(other.digest for other in changed)}) == 5
    same = TrainedVideo.of(trained.checkpoint, measured.spec, trained.codec, SAMPLING)
    assert same.digest == trained.digest


def test_what_was_measured_is_not_measured_again(
    measured: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = VideoEvaluationConfig(split="validation", limit=1, noise_levels=1)
    launch, store = LaunchConfig(device="cpu"), FrameStore(measured.trained.task.frames)
    first = measured_videos(measured.trained, store, config, launch, tmp_path)
    assert set(first.values["predictor"]) == set(PREDICTORS) and len(first.skipped) == 2
    monkeypatch.setattr(TrainedVideo, "load", lambda *_: pytest.fail("the model was loaded again"))
    again = measured_videos(measured.trained, store, config, launch, tmp_path)
    assert again.values.equals(first.values) and again.skipped == first.skipped
    with pytest.raises(ConfigurationError, match="nowhere"):
        measured_videos(
            measured.trained, store, config.model_copy(update={"split": "nowhere"}), launch, tmp_path
        )


def test_a_run_is_known_by_its_training_and_by_how_it_was_measured(measured: Measured) -> None:
    checkpoint, evaluation = measured.trained.checkpoint, VideoEvaluationConfig()
    facts = facts_of_run(checkpoint, measured.spec, SAMPLING, evaluation)
    assert (facts["training"], facts["seed"], facts["step"]) == ("0123", 5, 3)
    assert (facts["split"], facts["steps"], facts["guidance"]) == ("test", 2, 2.0)
    reseeded = {**measured.spec, "task_config": {**measured.spec["task_config"], "seed": 6}}
    other_seed = facts_of_run(checkpoint, reseeded, SAMPLING, evaluation)
    assert other_seed["seed"] == 6 and other_seed["recipe"] == facts["recipe"]
    batches = evaluation.model_copy(update={"batch_size": 1})
    assert facts_of_run(checkpoint, measured.spec, SAMPLING, batches) == facts
    elsewhere = facts_of_run(checkpoint, measured.spec, SAMPLING, VideoEvaluationConfig(limit=2))
    assert elsewhere["run"] != facts["run"] and elsewhere["recipe"] == facts["recipe"]
    longer = {**measured.spec, "train": {**measured.spec["train"], "steps": 77}}
    assert facts_of_run(checkpoint, longer, SAMPLING, evaluation)["recipe"] != facts["recipe"]


def test_models_that_need_more_than_a_frame_and_words_are_refused(measured: Measured, tmp_path: Path) -> None:
    model = with_other_camera(measured.trained.task.model, write_clip_image_folder(tmp_path))
    task = measured.trained.task.model_copy(update={"model": model})
    trained = TrainedVideo(measured.trained.checkpoint, measured.trained.codec, task, SAMPLING)
    with pytest.raises(ConfigurationError, match="looks at another camera's first frame"):
        measured_system(trained, measured.predictor, 1)
    with pytest.raises(InputError, match="holds no checkpoint of a video model"):
        TrainedVideo(trained.codec, trained.codec, task, SAMPLING).load(CPU)
