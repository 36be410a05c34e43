"""Which frames an encoder sees of a clip, and what is kept of its features."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.helpers.label_sequences import tiny_clips
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.area_resize import resize_frame
from vidrep_pipelines.data.video.decode import read_frames
from vidrep_pipelines.evaluation.clip_probe.clip_features import clip_frames, clip_tokens
from vidrep_pipelines.evaluation.clip_probe.config import ClipProbeConfig
from vidrep_pipelines.evaluation.encoders.config import PixelEncoderConfig
from vidrep_pipelines.evaluation.encoders.floors import PixelEncoder

CPU = torch.device("cpu")
CONFIG = ClipProbeConfig(frames=3, image_size=32, token_grid=2)


class Infinite(PixelEncoder):
    def patch_features(self, images: Tensor) -> Tensor:
        return super().patch_features(images) / 0


def test_frames_are_evenly_spaced_squares_from_the_middle() -> None:
    clip = tiny_clips()[0]
    frames = clip_frames(clip.video, CONFIG)
    last = clip.request.spec.frames - 1
    wanted = read_frames(clip.video, [0, round(last / 2), last])[:, :, 8:56]  # of 64x48
    np.testing.assert_array_equal(frames, [resize_frame(frame, 32, 32) for frame in wanted])


def test_a_short_clip_gives_frames_several_times() -> None:
    clip = tiny_clips()[0]
    frames = clip_frames(clip.video, CONFIG.model_copy(update={"frames": 40}))
    assert len(frames) == 40
    np.testing.assert_array_equal(frames[0], frames[1])


class PairsOfFrames(PixelEncoder):
    """Gives both frames of a window the mean of the two."""

    window = 2

    def features(self, frames: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        maps = super().patch_features(frames[0]).unflatten(0, (-1, self.window)).mean(dim=1, keepdim=True)
        return maps.expand(-1, self.window, -1, -1, -1).flatten(0, 1)[None], state


def test_encoders_of_clips_see_whole_windows() -> None:
    frames = clip_frames(tiny_clips()[0].video, CONFIG, window=2)
    assert len(frames) == 4  # of 3 that are asked for
    settings = PixelEncoderConfig(patch_size=16, squares=1)
    tokens = clip_tokens(frames, PairsOfFrames("pairs", settings), CONFIG, CPU)
    single = clip_tokens(frames, PixelEncoder("pixels", settings), CONFIG, CPU).astype(np.float32)
    means = single.reshape(2, 2, 4, 3).mean(axis=1).repeat(2, axis=0)
    np.testing.assert_allclose(tokens.astype(np.float32), means, atol=3e-3)


def test_tokens_are_means_of_the_grid() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    encoder = PixelEncoder("pixels", PixelEncoderConfig(patch_size=8, squares=1))
    tokens = clip_tokens(frames, encoder, CONFIG, CPU)
    assert tokens.shape == (3, 4, 3) and tokens.dtype == np.float16
    first = frames[0, :16, :16].mean(axis=(0, 1)) / 255
    np.testing.assert_allclose(tokens[0, 0], (first - encoder.mean) / np.array(encoder.std), atol=2e-3)
    coarse = clip_tokens(frames, encoder, CONFIG.model_copy(update={"token_grid": 9}), CPU)
    assert coarse.shape == (3, 16, 3)  # no more than there are


def test_what_does_not_fit_is_refused() -> None:
    frames = np.zeros((1, 32, 32, 3), np.uint8)
    with pytest.raises(InputError, match="do not divide into cells of 12"):
        clip_tokens(frames, PixelEncoder("p", PixelEncoderConfig(patch_size=12)), CONFIG, CPU)
    with pytest.raises(InputError, match="not numbers"):
        clip_tokens(frames, Infinite("p", PixelEncoderConfig(patch_size=8)), CONFIG, CPU)
