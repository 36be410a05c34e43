"""From frames and a first label map to label maps of all frames."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.helpers.label_sequences import write_release
from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.label_sequences.joint_file import read_joints, write_joints
from vidrep_pipelines.data.label_sequences.sequence import KeypointSequence
from vidrep_pipelines.evaluation.encoders.config import IMAGENET_MEAN, IMAGENET_STD, PixelEncoderConfig
from vidrep_pipelines.evaluation.encoders.floors import PixelEncoder
from vidrep_pipelines.evaluation.label_propagation.config import FrameSize
from vidrep_pipelines.evaluation.label_propagation.errors import FeatureError
from vidrep_pipelines.evaluation.label_propagation.frame_features import (
    device_of_sequence,
    frame_features,
    normalization_of,
)
from vidrep_pipelines.evaluation.label_propagation.keypoints import to_grid
from vidrep_pipelines.evaluation.label_propagation.prediction_file import (
    JointTracks,
    read_joint_tracks,
    read_label_maps,
    write_joint_tracks,
    write_label_maps,
)
from vidrep_pipelines.evaluation.label_propagation.preprocessing import resize_labels_by_opencv
from vidrep_pipelines.evaluation.label_propagation.sequence_run import SequenceRunner
from vidrep_pipelines.evaluation.label_propagation.settings import LabelPropagationConfig
from vidrep_pipelines.training import precision

PIXELS = PixelEncoder("pixels", PixelEncoderConfig(patch_size=4))


class AutocastPixels(PixelEncoder):
    """Remembers whether frames came in mixed precision."""

    def __init__(self) -> None:
        super().__init__("pixels", PixelEncoderConfig(patch_size=4))
        self.autocast: set[bool] = set()

    def patch_features(self, images: Tensor) -> Tensor:
        self.autocast.add(torch.is_autocast_enabled("cpu"))
        return super().patch_features(images)


class NotANumber(nn.Module):
    """Features that become NaN in the third frame."""

    name, stride, mean, std = "nan", 4, IMAGENET_MEAN, IMAGENET_STD

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def patch_features(self, images: Tensor) -> Tensor:
        features = nn.functional.avg_pool2d(images, 4)
        for number in range(len(images)):
            features[number] /= float(self.seen + number != 2)
        self.seen += len(images)
        return features / features


def config(task: str = "davis", **changes: Any) -> LabelPropagationConfig:
    size = FrameSize(rule="exact", sides=(48, 64))
    return LabelPropagationConfig.model_validate(
        {"task": task, "frame_size": size, "radius": 5, "context_frames": 3, **changes}
    )


def runner(encoder: Any = PIXELS, frames_per_batch: int = 4, **changes: Any) -> SequenceRunner:
    settings = config(**changes).resolve()
    return SequenceRunner(encoder, settings, torch.device("cpu"), frames_per_batch)


def moving_square(count: int = 6) -> tuple[list[Pixels], list[Pixels]]:
    """A red square that walks over a green gradient, and its label maps."""
    frames, maps = [], []
    for number in range(count):
        frame = np.zeros((48, 64, 3), np.uint8)
        frame[..., 1] = np.arange(64) * 2
        labels = np.zeros((48, 64), np.uint8)
        labels[16:32, 8 + 4 * number : 24 + 4 * number] = 1
        frame[labels == 1] = (230, 20, 40)
        frames.append(frame)
        maps.append(labels)
    return frames, maps


@pytest.mark.parametrize("preset", ["rsp", "dino", "videowalk", "cropmae", "dinov3", "rvm"])
def test_labels_follow_what_they_are_on(preset: str) -> None:
    frames, maps = moving_square()
    found = list(runner(preset=preset, temperature=0.05).label_maps(frames, maps[0]))
    assert len(found) == len(frames)
    for truth, result in zip(maps, found, strict=True):
        overlap = ((truth == 1) & (result == 1)).sum() / ((truth == 1) | (result == 1)).sum()
        assert overlap > 0.8


@pytest.mark.parametrize("frames_per_batch", [1, 5, 100])
def test_batches_have_no_influence(frames_per_batch: int) -> None:
    frames, maps = moving_square()
    expected = list(runner().label_maps(frames, maps[0]))
    found = list(runner(frames_per_batch=frames_per_batch).label_maps(frames, maps[0]))
    np.testing.assert_array_equal(found, expected)


class Means(nn.Module):
    """Sees clips: every frame gets the mean over its window, less its own colors."""

    name, stride, window, mean, std = "means", 4, 4, IMAGENET_MEAN, IMAGENET_STD

    def features(self, frames: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        if frames.shape[1] < self.window:
            raise InputError(f"means looks at 4 frames together, and the video has {frames.shape[1]}.")
        assert frames.shape[1] == self.window
        small = nn.functional.avg_pool2d(frames.flatten(0, 1), 4).unflatten(0, frames.shape[:2])
        return small.mean(dim=1, keepdim=True) - 2 * small, None


class Memory(nn.Module):
    """Sees a stream: the features of a frame keep a tenth of those before."""

    name, stride, window, mean, std = "memory", 4, 1, IMAGENET_MEAN, IMAGENET_STD

    def features(self, frames: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        maps = []
        for time in range(frames.shape[1]):
            small = nn.functional.avg_pool2d(frames[:, time], 4)
            state = small if state is None else 0.9 * small + 0.1 * state
            maps.append(state)
        return torch.stack(maps, dim=1), state


def test_clips_and_streams_are_followed_like_images() -> None:
    frames, maps = moving_square(6)
    expected = [
        list(runner(encoder, frames_per_batch=6).label_maps(frames, maps[0])) for encoder in (Memory(),)
    ]
    for count in (1, 4):
        found = list(runner(Memory(), frames_per_batch=count).label_maps(frames, maps[0]))
        np.testing.assert_array_equal(found, expected[0])
    found = list(
        runner(Means(), frames_per_batch=2, preset="cropmae", temperature=0.05).label_maps(frames, maps[0])
    )
    for truth, result in zip(maps, found, strict=True):
        overlap = ((truth == 1) & (result == 1)).sum() / ((truth == 1) | (result == 1)).sum()
        assert overlap > 0.7


def test_the_last_window_ends_with_the_video() -> None:
    frames = [np.full((48, 64, 3), 10 * number, np.uint8) for number in range(6)]
    settings = config(normalization="encoder").resolve()
    found = list(frame_features(frames, Means(), (48, 64), settings, torch.device("cpu"), 4))
    values = torch.tensor([float(features.mean()) for features in found])
    shown = [torch.arange(4.0), torch.arange(4.0), torch.arange(2.0, 6), torch.arange(2.0, 6)]
    windows = [*shown[:1] * 4, *shown[2:3] * 2]
    expected = torch.stack([window.mean() - 2 * time for time, window in enumerate(windows)])
    expected = expected * 10 / 255 / float(np.mean(IMAGENET_STD))
    torch.testing.assert_close(values - values[0], expected - expected[0], rtol=0.02, atol=0)


def test_a_video_shorter_than_a_window_is_refused() -> None:
    frames, maps = moving_square(3)
    with pytest.raises(InputError, match="means looks at 4 frames"):
        list(runner(Means()).label_maps(frames, maps[0]))


def test_half_precision_finds_the_same_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: True)
    frames, maps = moving_square()
    expected = np.stack(list(runner().label_maps(frames, maps[0])))
    found = np.stack(list(runner(precision="bf16").label_maps(frames, maps[0])))
    assert (found != expected).mean() < 0.02


@pytest.mark.parametrize("present", [True, False])
def test_bfloat16_is_not_emulated(present: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: present)
    frames, maps = moving_square()
    encoder = AutocastPixels()
    half = runner(encoder, precision="bf16")
    assert half.settings_used.propagation.precision == ("bf16" if present else "fp32")
    assert half.settings.propagation.precision == "bf16"
    found = list(half.label_maps(frames, maps[0]))
    assert encoder.autocast == {present}
    if not present:
        np.testing.assert_array_equal(found, list(runner(precision="fp32").label_maps(frames, maps[0])))


def test_frames_are_read_as_they_are_needed() -> None:
    frames, maps = moving_square(20)
    read = []

    def reading() -> Iterator[Pixels]:
        for number, frame in enumerate(frames):
            read.append(number)
            yield frame

    results = runner(frames_per_batch=2).label_maps(reading(), maps[0])
    next(results)
    next(results)
    assert len(read) <= 4


def test_first_annotation_is_kept_with_void_which_is_never_predicted() -> None:
    frames, maps = moving_square()
    maps[0][:4] = 255
    found = list(runner().label_maps(frames, maps[0]))
    np.testing.assert_array_equal(found[0], maps[0])
    assert max(result.max() for result in found[1:]) == 1


def test_object_that_vanishes_on_the_grid_is_named_and_never_predicted() -> None:
    frames, maps = moving_square()
    maps[0][40, 50] = 2
    assert runner().lost_at_start(maps[0]) == [2]
    assert max(result.max() for result in list(runner().label_maps(frames, maps[0]))[1:]) == 1


def test_single_frame_has_its_annotation() -> None:
    frames, maps = moving_square(1)
    (found,) = runner().label_maps(frames, maps[0])
    np.testing.assert_array_equal(found, maps[0])


def test_features_that_are_not_numbers_name_the_frame() -> None:
    frames, maps = moving_square()
    with pytest.raises(FeatureError, match="2"):
        list(runner(NotANumber()).label_maps(frames, maps[0]))


def test_joints_start_where_they_are_annotated(tmp_path: Path) -> None:
    root = write_release("jhmdb", tmp_path)
    folder = next(path for path in (root / "Rename_Images").glob("*/*"))
    clip = folder.relative_to(root / "Rename_Images").as_posix()
    row = {
        "id": clip,
        "frame_folder": folder,
        "label_path": root / "joint_positions" / clip / "joint_positions.mat",
    }
    sequence = KeypointSequence.of(row)
    run = runner(task="jhmdb")
    tracks = run.joints(sequence)
    assert tracks.shape == sequence.joints().shape
    grid = run.grid(*sequence.frame(0).shape[:2])
    true = to_grid(sequence.joints()[:, :, 0], sequence.frame(0).shape[:2], grid)
    seen = tracks[0, :, 0] >= 0
    assert seen.any()
    assert np.abs(tracks[:, seen, 0] - true[:, seen]).max() < 1.5


def test_predictions_come_back_from_their_files(tmp_path: Path) -> None:
    maps = np.random.default_rng(0).integers(0, 9, (5, 12, 10)).astype(np.uint8)
    assert write_label_maps(tmp_path / "a.h5", iter(maps)) == 5
    np.testing.assert_array_equal(read_label_maps(tmp_path / "a.h5"), maps)
    tracks = JointTracks(np.random.default_rng(1).random((2, 4, 7)).astype(np.float32), (6, 8))
    write_joint_tracks(tmp_path / "b.h5", tracks)
    found = read_joint_tracks(tmp_path / "b.h5")
    np.testing.assert_array_equal(found.positions, tracks.positions)
    assert found.grid == (6, 8)


def test_normalization_is_that_of_the_variant_unless_the_encoder_is_asked() -> None:
    assert normalization_of(PIXELS, config().resolve()).std[0] == 0.228
    assert normalization_of(PIXELS, config(preset="cropmae").resolve()).std[0] == 0.229
    assert normalization_of(PIXELS, config(normalization="encoder").resolve()).std == IMAGENET_STD
    assert config(preset="rvm").resolve().normalization == "encoder"
    assert normalization_of(PIXELS, config(preset="dinov3").resolve()).std[0] == 0.229


def test_what_cropmae_does_otherwise() -> None:
    joints, parts = config("jhmdb").resolve(), config("vip").resolve()
    assert (joints.decoded_cells, parts.label_resize) == (5, "through_input")
    assert config("jhmdb", preset="videowalk").resolve().decoded_cells == 3
    assert config("jhmdb", decoded_cells=4).resolve().decoded_cells == 4
    assert not {"decoded_cells", "label_resize"} & config().resolve().model_dump().keys()
    fine = np.zeros((96, 128), np.uint8)
    fine[:, 1::2] = fine[1::2] = 1  # none of it is left where every other row and column is taken
    assert runner(task="vip").lost_at_start(fine) == [1]
    assert runner(task="vip", label_resize="direct").lost_at_start(fine) != [1]
    np.testing.assert_array_equal(
        resize_labels_by_opencv(np.arange(14, dtype=np.uint8).reshape(2, 7), 4, 4)[[0, 3]],
        [[0, 1, 3, 5], [7, 8, 10, 12]],
    )


def test_changes_of_a_preset() -> None:
    published = LabelPropagationConfig(task="vip").resolve()
    assert (published.propagation.top_k, published.propagation.radius) == (10, 20)
    assert config("vip", top_k=3).resolve().propagation.top_k == 3
    with pytest.raises(ConfigurationError, match="vip"):
        config("vip", preset="dino").resolve()


@pytest.mark.skipif(torch.cuda.is_available(), reason="it is about a machine without a GPU")
def test_missing_gpu_is_an_error_only_if_it_was_asked_for() -> None:
    assert device_of_sequence("auto").type == "cpu"
    with pytest.raises(ConfigurationError, match="cuda"):
        device_of_sequence("cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_finds_the_same() -> None:
    frames, maps = moving_square()
    expected = np.stack(list(runner().label_maps(frames, maps[0])))
    device = device_of_sequence("cuda", 1)
    on_gpu = SequenceRunner(PIXELS.to(device), config().resolve(), device)
    found = np.stack(list(on_gpu.label_maps(frames, maps[0])))
    PIXELS.to("cpu")
    assert (found != expected).mean() < 1e-3


@pytest.mark.parametrize("preset", ["rsp", "videowalk"])
def test_numbers_of_objects_have_no_influence(preset: str) -> None:
    frames, maps = moving_square()
    first = maps[0].copy()
    first[32:48, 36:60] = 2
    for frame in frames:
        frame[32:48, 36:60] = (20, 20, 250)
    numbers = np.array([0, 38, 254], dtype=np.uint8)
    expected = np.stack(list(runner(preset=preset).label_maps(frames, first)))
    found = np.stack(list(runner(preset=preset).label_maps(frames, numbers[first])))
    assert set(expected[-1].flat) == {0, 1, 2}
    np.testing.assert_array_equal(found, numbers[expected])


@pytest.mark.parametrize("preset", ["videowalk", "cropmae"])
def test_joints_without_a_first_position_are_lost_and_do_not_touch_the_others(
    preset: str, tmp_path: Path
) -> None:
    root = write_release("jhmdb", tmp_path / "JHMDB")
    clip = "push/push_000"
    path = root / "joint_positions" / clip / "joint_positions.mat"
    positions = read_joints(path)
    row = {"id": clip, "frame_folder": root / "Rename_Images" / clip, "label_path": path}
    changes: dict[str, Any] = {
        "task": "jhmdb",
        "preset": preset,
        "frame_size": {"rule": "exact", "sides": (48, 64)},
    }
    expected = runner(**changes).joints(KeypointSequence.of(row))
    positions[:, 3] = np.nan
    write_joints(path, positions)
    found = runner(**changes).joints(KeypointSequence.of(row))
    assert (expected[0, 3] >= 0).any()
    assert (found[:, 3] == -1).all()
    others = np.arange(positions.shape[1]) != 3
    np.testing.assert_allclose(found[:, others, 0], expected[:, others, 0], atol=1e-6)
