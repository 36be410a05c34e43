from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor

from tests.models.carl.tiny import CONVOLUTIONAL, make_model
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.transforms import normalize
from vidrep_pipelines.models.carl.embed import _chunks, embed_frames
from vidrep_pipelines.models.carl.embedding_config import EmbeddingConfig
from vidrep_pipelines.models.carl.model import CarlModel


class Video:
    """Random pixels that note what is read."""

    def __init__(self, frames: int, side: int = 32) -> None:
        generator = torch.Generator().manual_seed(0)
        self.frames = torch.randint(0, 256, (frames, 3, side, side), generator=generator, dtype=torch.uint8)
        self.read_ranks: list[int] = []

    def __call__(self, ranks: NDArray[np.int64]) -> Tensor:
        self.read_ranks += ranks.tolist()
        return self.frames[torch.from_numpy(ranks)]


def embed(model: CarlModel, video: Video, context_stride: int = 15, **fields: Any) -> Tensor:
    return embed_frames(model, video, len(video.frames), EmbeddingConfig(**fields), context_stride)


@pytest.mark.parametrize("seams", ["blend", "published"])
def test_a_short_video_is_one_clip(seams: Any) -> None:
    model, video = make_model(), Video(9)
    expected = model.embed(normalize(video.frames)[None])[0]
    found = embed(model, video, seams=seams, frames_per_block=4)
    torch.testing.assert_close(found, expected.detach())
    assert found.dtype == torch.float32 and not found.requires_grad
    assert video.read_ranks == list(range(9))


def test_published_seams_are_clips_of_their_own() -> None:
    model, video = make_model(), Video(11)
    found = embed(model, video, chunk_frames=4, seams="published")
    parts = [model.embed(normalize(video.frames[start : start + 4])[None])[0] for start in (0, 4, 8)]
    torch.testing.assert_close(found, torch.cat(parts).detach())


def test_blended_seams_are_smoother_and_keep_unit_length() -> None:
    model, video = make_model(), Video(40)
    video.frames = video.frames[:1].expand(40, -1, -1, -1)  # only the positions change
    steps = {
        seams: embed(model, video, chunk_frames=10, seams=seams).diff(dim=0).norm(dim=1)
        for seams in ("blend", "published")
    }
    assert steps["blend"].max() < 0.7 * steps["published"].max()
    found = embed(model, video, chunk_frames=10)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(40))


@given(st.integers(1, 200), st.integers(3, 60), st.floats(0.34, 0.5), st.sampled_from(["blend", "published"]))
@settings(deadline=None)
def test_chunks_cover_every_frame_with_a_weight_of_one(
    length: int, size: int, overlap: float, seams: Any
) -> None:
    config = EmbeddingConfig(chunk_frames=size, overlap=overlap, seams=seams)
    total = torch.zeros(length)
    for start, weights in _chunks(length, config):
        assert 0 < len(weights) <= size and (weights > 0).all()
        total[start : start + len(weights)] += weights
    torch.testing.assert_close(total, torch.ones(length))


@pytest.mark.parametrize("encoder", ["conv", "vanilla"])
def test_context_frames_reach_back_across_blocks(encoder: str) -> None:
    """However the video is cut, position p sees p - stride, clamped at the beginning of the video only."""
    model, video = make_model(**{**CONVOLUTIONAL, "encoder": encoder}), Video(9, side=65)
    ranks = torch.tensor([[max(place - 3, 0), place] for place in range(9)]).flatten()
    expected = model.embed(normalize(video.frames[ranks])[None])[0]
    for block in (2, 9):
        found = embed(model, video, context_stride=3, frames_per_block=block, chunk_frames=4)
        torch.testing.assert_close(found, expected.detach())


def test_lower_precision_is_near() -> None:
    model, video = make_model(), Video(6)
    exact, rough = embed(model, video), embed(model, video, precision="bf16")
    assert rough.dtype == torch.float32 and 0 < (exact - rough).abs().max() < 0.1


def test_what_cannot_be_embedded_is_refused() -> None:
    with pytest.raises(InputError, match="without frames"):
        embed(make_model(), Video(0))
    with pytest.raises(InputError, match="training mode"):
        embed(make_model().train(), Video(3))
    with pytest.raises(ValidationError, match="overlap is less than one frame"):
        EmbeddingConfig(chunk_frames=3, overlap=0.1)
