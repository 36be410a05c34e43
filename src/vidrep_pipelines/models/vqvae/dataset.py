"""Which windows of episodes VQ-VAE trains on, and the few that are looked at while it does."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PositiveInt
from torch import Tensor
from torch.utils.data import Dataset

from vidrep_pipelines.common.arrays import Ranks
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.data.area_resize import resize_frame
from vidrep_pipelines.data.clips.dataset import Sample
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.frame_store.windows import FrameWindows
from vidrep_pipelines.models.vqvae.config import VqvaeDataConfig

_CLIPS, _FRAMES = 3, 8


def spread_samples(dataset: Dataset[Sample], count: int) -> Tensor:
    """The frames (N, R, T, 3, S, S) uint8 of N = ``count`` samples, or of all if there are fewer."""
    items = len(dataset)  # type: ignore[arg-type]
    numbers = torch.linspace(0, items - 1, min(count, items)).long().tolist()
    samples: list[Any] = [dataset[0, index]["frames"] for index in numbers]
    return torch.stack(samples)


def picture_clips(dataset: Dataset[Sample], clip_frames: int) -> Tensor:
    """A few clips (B, T, 3, S, S) uint8; of single frames, those of several samples make up a clip."""
    if clip_frames > 1:
        return spread_samples(dataset, _CLIPS)[:, 0]
    frames = spread_samples(dataset, _CLIPS * _FRAMES)[:, 0, 0]
    length = min(_FRAMES, len(frames))
    return frames[: len(frames) // length * length].reshape(-1, length, *frames.shape[1:])


class WindowSampling(FrozenConfig):
    """Draws windows of evenly spaced frames from a clip; a ``FrameSampler``."""

    frames: PositiveInt
    """Frames N of a window."""
    step: PositiveInt = 1
    """Frames from one to the next."""
    windows: PositiveInt = 1
    """Windows R drawn from a clip each time it is opened."""
    first_frames: PositiveInt | None = None
    """Use only so many frames from the start of the clip. None: all."""

    def __call__(self, frames: int, rng: np.random.Generator) -> Ranks:
        """Returns (R, N) ranks, every start equally likely. Raises InputError if the clip is too short."""
        usable = frames if self.first_frames is None else min(frames, self.first_frames)
        starts = usable - (self.frames - 1) * self.step
        if starts < 1:
            raise InputError(
                f"{usable} usable frames do not hold a window of {self.frames} frames, {self.step} apart."
            )
        first = rng.integers(starts, size=(self.windows, 1))
        return first + self.step * np.arange(self.frames)


class WholeFrames(FrozenConfig):
    """Resizes whole frames as the published preparation does, without augmentation; a ``GroupTransform``."""

    size: PositiveInt
    """Height and width of the result in pixels; the aspect ratio is not kept."""

    def __call__(self, frames: NDArray[np.uint8], rng: np.random.Generator) -> Tensor:
        """Transforms (N, H, W, 3) uint8 frames to (N, 3, size, size) uint8; nothing is drawn."""
        resized = np.stack([resize_frame(frame, self.size, self.size) for frame in frames])
        return torch.from_numpy(resized).permute(0, 3, 1, 2)


class StoredWindows(Dataset[Sample]):
    """All windows of the views of a frame store, numbered through.

    Args:
        folder: The store.
        split: Part of it that is used.
        data: Length and spacing of the windows.
        size: Side of the frames that the model takes.
        seed: Seed of the run.

    Raises:
        ConfigurationError: Frames of another size, no such split, or no view that is long enough.
    """

    def __init__(self, folder: Path, split: str, data: VqvaeDataConfig, size: int, seed: int) -> None:
        self._store = FrameStore(folder).select(split)
        height, width = self._store.facts.height, self._store.facts.width
        if (height, width) != (size, size):
            raise ConfigurationError(
                f"{folder} holds frames of {width}x{height} pixels, the model takes {size}x{size}. Remedy: "
                "set model.image_size, or prepare the store with frames of that size."
            )
        span = (data.clip_frames - 1) * data.frame_step + 1
        self._windows = FrameWindows(self._store.index.lengths, span, data.first_frames)
        self._step, self._seed = data.frame_step, seed

    def __len__(self) -> int:
        return len(self._windows)

    def name(self, index: int) -> str:
        """View and first frame of a window, for messages."""
        view, frames = self._windows[index]
        return f"{self._store.ids[view]}, frame {frames.start}"

    def __getitem__(self, position: tuple[int, int]) -> Sample:
        """Makes the sample at ``(epoch, index)``.

        Returns:
            ``frames`` (1, N, 3, S, S) uint8, ``index``, ``seed`` (1,) int64.

        Raises:
            IndexError: There is no such window.
        """
        epoch, index = map(int, position)
        view, frames = self._windows[index]
        pixels = self._store.frames_at(view, slice(frames.start, frames.stop, self._step))
        seed = torch.tensor([seed_for(self._seed, epoch, index, "loss")], dtype=torch.int64)
        return {"frames": torch.tensor(pixels).permute(0, 3, 1, 2)[None], "index": index, "seed": seed}
