"""Frames from a frame store that tokenizers train on, single or in pairs of states, as networks want them."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from vidrep_pipelines.common.arrays import Triple
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.common.seeds import generator_for, seed_for
from vidrep_pipelines.data.clips.dataset import Sample
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.frame_store.windows import FrameWindows
from vidrep_pipelines.data.transforms import IMAGENET_MEAN, IMAGENET_STD, normalize
from vidrep_pipelines.models.voc.tokenizers.config import Normalization, PixelConfig, ResizeMethod
from vidrep_pipelines.models.voc.tokenizers.musik.config import MusikConfig, MusikObjectiveConfig

_ONES = (1.0, 1.0, 1.0)
_HALVES = (0.5, 0.5, 0.5)
_RATIOS = tuple(mean / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True))


def pixel_statistics(config: PixelConfig) -> tuple[Triple, Triple]:
    """Mean and deviation, per channel, with which the normalization is a standardization of 0..1."""
    published: Triple = (_RATIOS[0], _RATIOS[1], _RATIOS[2])
    statistics: dict[Normalization, tuple[Triple, Triple]] = {
        "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
        "published": (published, _ONES),
        "symmetric": (_HALVES, _HALVES),
    }
    return statistics[config.normalization]


def prepare_frames(frames: Tensor, config: PixelConfig, offsets: Tensor | None = None) -> Tensor:
    """Shifts, resizes and normalizes.

    Args:
        frames: (B, ..., 3, H, W) uint8.
        config: Size and units.
        offsets: (B, 2) moves (x, y) in 0..2 ``config.shift``, one for all frames of a sample; the middle is
            no move. None: no shift.

    Returns:
        (B, ..., 3, S, S) float32.

    Raises:
        InputError: The frames are not square pictures of three channels.
    """
    if frames.ndim < 4 or frames.shape[-3] != 3 or frames.shape[-1] != frames.shape[-2]:
        raise InputError(
            f"frames must be square and have three channels, (B, ..., 3, H, H), not {tuple(frames.shape)}. "
            "Remedy: prepare the episodes with equal frames.height and frames.width."
        )
    moved = frames if offsets is None else shift_frames(frames, offsets, config.shift)
    mean, std = pixel_statistics(config)
    return normalize(resize_frames(moved, config.size, config.resize), mean, std)


def shift_frames(frames: Tensor, offsets: Tensor, padding: int) -> Tensor:
    """Moves pictures by whole pixels; the border is repeated (Yarats et al. 2021, DrQ-v2, section 3.1).

    The same as a crop at the offsets out of the picture with ``padding`` pixels more on each side.

    Args:
        frames: (B, ..., H, W).
        offsets: (B, 2) integers (x, y) in 0..2 padding.
        padding: Largest move.
    """
    B, H, W = len(frames), *frames.shape[-2:]
    columns, rows = (
        (torch.arange(size, device=frames.device) + offset[:, None] - padding).clamp(0, size - 1)
        for size, offset in zip((W, H), offsets.to(frames.device).unbind(dim=1), strict=True)
    )
    maps = frames.reshape(B, -1, H, W)
    moved = maps.gather(2, rows[:, None, :, None].expand_as(maps))
    return moved.gather(3, columns[:, None, None, :].expand_as(maps)).reshape(frames.shape)


def resize_frames(frames: Tensor, size: int, method: ResizeMethod) -> Tensor:
    """Pictures (..., C, H, W) uint8 to (..., C, size, size) uint8.

    ``nearest`` takes the pixel at ``floor(i * H / size)``, in whole numbers.
    """
    H, W = frames.shape[-2:]
    if (size, size) == (H, W):
        return frames
    if method == "nearest":
        steps = torch.arange(size, device=frames.device)
        return frames[..., steps * H // size, :][..., steps * W // size]
    maps = frames.reshape(-1, *frames.shape[-3:])
    resized = F.interpolate(maps, (size, size), mode=method, antialias=True)
    return resized.reshape(*frames.shape[:-2], size, size)


def to_unit_range(images: Tensor, config: PixelConfig) -> Tensor:
    """Normalized pictures (..., 3, H, W) to nominally 0..1, unclamped, in float32."""
    statistics = torch.tensor(pixel_statistics(config), device=images.device)
    mean, std = statistics.view(2, 3, 1, 1).unbind()
    return images.float() * std + mean


class StoredFrames(Dataset[Sample]):
    """All frames of a part of a store, numbered through.

    Args:
        folder: The store.
        split: Part of it that is used.
        shift: Frames are to be moved by up to so many pixels.
        seed: Seed of the run.

    Raises:
        InputError: There is no finished store.
        ConfigurationError: There is no such split.
    """

    def __init__(self, folder: Path, split: str, shift: int, seed: int) -> None:
        self._store = FrameStore(folder).select(split)
        self._windows = FrameWindows(self._store.index.lengths, 1)
        self._shift, self._seed = shift, seed

    def __len__(self) -> int:
        return len(self._windows)

    def name(self, index: int) -> str:
        """View and number of a frame, for messages."""
        view, window = self._windows[index]
        return f"{self._store.ids[view]}[{window.start}]"

    def __getitem__(self, position: tuple[int, int]) -> Sample:
        """The frame at ``(epoch, index)``.

        Returns:
            ``frames`` (3, H, W) uint8, not moved yet; ``offsets`` (2,) int64 of the move; ``seed`` and
            ``index``, int64.

        Raises:
            IndexError: There is no such frame.
        """
        epoch, index = map(int, position)
        view, window = self._windows[index]
        frame = self._store.frames_at(view, window)[0]
        rng = generator_for(self._seed, epoch, index)
        return {
            "frames": _channels_first(frame),
            "offsets": _offsets(self._shift, rng),
            "seed": seed_for(self._seed, epoch, index, "loss"),
            "index": index,
        }


class StatePairs(Dataset[Sample]):
    """All states in which an action was taken, each with a later one of its episode.

    A state is a stack of frames; before the first frame the first one is repeated.

    Args:
        folder: The store.
        split: Part of it that is used.
        model: Frames of a state, numbers of an action, largest move.
        objective: How much later.
        seed: Seed of the run.

    Raises:
        InputError: There is no finished store, or an episode has no actions or faulty ones.
        ConfigurationError: There is no such split, or actions have another size.
    """

    def __init__(
        self, folder: Path, split: str, model: MusikConfig, objective: MusikObjectiveConfig, seed: int
    ) -> None:
        self._store = FrameStore(folder).select(split)
        self._model, self._objective, self._seed = model, objective, seed
        self._check_actions()
        self._steps = FrameWindows(self._store.index.lengths - 1, 1)

    def _check_actions(self) -> None:
        wanted = self._model.action_dimension
        for view in self._store.ids:
            actions = self._store.actions(view)
            if len(actions) != self._store.length(view) - 1:
                raise InputError(
                    f"{self._store.folder}: {view} has {len(actions)} actions for "
                    f"{self._store.length(view)} frames. Remedy: MUSIK needs episodes with actions; collect "
                    "some, or use the tokenizer vae or dino."
                )
            if actions.shape[1] != wanted:
                raise ConfigurationError(
                    f"Actions of {view} have {actions.shape[1]} numbers, but action_dimension is {wanted}. "
                    f"Remedy: action_dimension: {actions.shape[1]}."
                )
            if not np.isfinite(actions).all():
                step = int((~np.isfinite(actions)).any(axis=1).argmax())
                raise InputError(
                    f"{self._store.folder}: the action at step {step} of {view} is not a finite number. "
                    "Remedy: leave out the episode, or collect it again."
                )

    def __len__(self) -> int:
        return len(self._steps)

    def name(self, index: int) -> str:
        """View and step of a state, for messages."""
        view, window = self._steps[index]
        return f"{self._store.ids[view]}[{window.start}]"

    def __getitem__(self, position: tuple[int, int]) -> Sample:
        """The pair at ``(epoch, index)``.

        Returns:
            ``frames`` (2, frame_stack, 3, H, W) uint8, state and later state, not moved yet; ``offsets``
            (2, 2) int64 of their moves; ``action`` (A,) float32 taken in the state; ``seed`` and ``index``.

        Raises:
            IndexError: There is no such state.
        """
        epoch, index = map(int, position)
        view, window = self._steps[index]
        step, rng = window.start, generator_for(self._seed, epoch, index)
        left = int(self._store.index.lengths[view]) - 1 - step
        later = step + draw_offset(left, self._objective, rng)
        back = np.arange(self._model.frame_stack - 1, -1, -1)
        ranks = np.maximum(np.array([step, later])[:, None] - back, 0)
        frames = self._store.frames_at(view, ranks.reshape(-1)).reshape(*ranks.shape, *self._size)
        shift = self._model.pixels.shift
        return {
            "frames": _channels_first(frames),
            "offsets": torch.stack([_offsets(shift, rng), _offsets(shift, rng)]),
            "action": torch.from_numpy(self._store.actions(self._store.ids[view])[step]),
            "seed": seed_for(self._seed, epoch, index, "loss"),
            "index": index,
        }

    @property
    def _size(self) -> tuple[int, int, int]:
        return self._store.facts.height, self._store.facts.width, 3


def draw_offset(left: int, objective: MusikObjectiveConfig, rng: np.random.Generator) -> int:
    """How many steps later the later state is, given the steps left in the episode (at least one)."""
    largest = objective.largest_offset
    if objective.offsets_at_the_end == "published":
        left = max(left - 1, 1)
    return int(rng.integers(1, min(largest, left) + 1))


def _offsets(shift: int, rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.integers(0, 2 * shift + 1, size=2))


def _channels_first(frames: NDArray[np.uint8]) -> Tensor:
    """(..., H, W, 3) to (..., 3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(frames, -1, -3)))
