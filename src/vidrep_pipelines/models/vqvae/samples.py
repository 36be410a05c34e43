"""Samples that are looked at while training: the same ones every time, from all over the data set."""

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from vidrep_pipelines.data.clips.dataset import Sample

_CLIPS, _FRAMES = 3, 8


def spread_samples(dataset: Dataset[Sample], count: int) -> Tensor:
    """The frames (N, R, T, 3, S, S) uint8 of N = ``count`` samples, or of all if there are fewer."""
    items = len(dataset)  # type: ignore[arg-type]
    chosen = torch.linspace(0, items - 1, min(count, items)).long().tolist()
    found: list[Any] = [dataset[0, index]["frames"] for index in chosen]
    return torch.stack(found)


def picture_clips(dataset: Dataset[Sample], clip_frames: int) -> Tensor:
    """A few clips (B, T, 3, S, S) uint8; of single frames, those of several samples make up a clip."""
    if clip_frames > 1:
        return spread_samples(dataset, _CLIPS)[:, 0]
    frames = spread_samples(dataset, _CLIPS * _FRAMES)[:, 0, 0]
    length = min(_FRAMES, len(frames))
    return frames[: len(frames) // length * length].reshape(-1, length, *frames.shape[1:])
