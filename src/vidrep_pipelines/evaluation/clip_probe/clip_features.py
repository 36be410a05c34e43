"""Features of clips: how they are taken from frames, and how they are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vidrep_pipelines.common.arrays import IntArray, Pixels
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.area_resize import resize_frame
from vidrep_pipelines.data.video.decode import FrameReader
from vidrep_pipelines.evaluation.clip_probe.config import ClipProbeConfig
from vidrep_pipelines.evaluation.encoders.protocol import Encoder, as_video_encoder

CLIP_FEATURE_SUFFIX = ".npy"
_LARGEST = float(np.finfo(np.float16).max)


def clip_frames(path: Path, config: ClipProbeConfig, window: int = 1) -> Pixels:
    """Evenly spaced frames (T, S, S, 3) of a clip: the square in the middle, resized.

    A clip with fewer frames gives some of them several times.

    Args:
        path: The clip.
        config: How many frames, and their size.
        window: Frames that the encoder looks at together: T is the next multiple of it.

    Raises:
        InputError: The clip cannot be read.
    """
    reader = FrameReader()
    count = reader.count(path)
    ranks = np.linspace(0, count - 1, -(-config.frames // window) * window).round().astype(np.int64)
    distinct, places = np.unique(ranks, return_inverse=True)
    frames = reader.read(path, distinct)
    side = min(frames.shape[1:3])
    top, left = (frames.shape[1] - side) // 2, (frames.shape[2] - side) // 2
    squares = frames[:, top : top + side, left : left + side]
    return np.stack([resize_frame(square, config.image_size, config.image_size) for square in squares])[
        places
    ]


@torch.no_grad()
def clip_tokens(
    frames: Pixels, encoder: Encoder, config: ClipProbeConfig, device: torch.device
) -> NDArray[np.float16]:
    """Tokens (T, g * g, D) of a clip's frames (T, S, S, 3), which go through a stream from the first on.

    Raises:
        InputError: The encoder's stride does not divide the frames' size, there are fewer frames than its
            window has, or features are not numbers.
    """
    mean, std = (
        torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (encoder.mean, encoder.std)
    )
    images = torch.from_numpy(frames).to(device).permute(0, 3, 1, 2).float() / 255
    maps = as_video_encoder(encoder).features(((images - mean) / std)[None])[0][0].float()
    if not bool(torch.isfinite(maps).all()):
        raise InputError("The features hold values that are not numbers; check the encoder's weights.")
    grid = min(config.token_grid, *maps.shape[-2:])
    pooled = functional.adaptive_avg_pool2d(maps, grid).flatten(2).transpose(1, 2)
    tokens: NDArray[np.float16] = pooled.clamp(-_LARGEST, _LARGEST).cpu().numpy().astype(np.float16)
    return tokens


@dataclass(frozen=True)
class ClipFeatures:
    """Features of N clips with their classes.

    Attributes:
        files: (N) files with tokens (T, g * g, D); read when they are asked for.
        labels: (N,) class numbers; -1 for a class that no training clip has.
        means: (N, D) mean of each clip's tokens.
    """

    files: tuple[Path, ...]
    labels: IntArray
    means: NDArray[np.float32]

    @classmethod
    def read(cls, files: Sequence[Path], names: Sequence[str], classes: Mapping[str, int]) -> "ClipFeatures":
        """Reads the mean features; ``names`` are those of the clips' classes."""
        means = np.stack([read_tokens(path).astype(np.float32).mean(axis=(0, 1)) for path in files])
        return cls(tuple(files), np.array([classes.get(name, -1) for name in names]), means)

    def __len__(self) -> int:
        return len(self.files)

    def part(self, places: IntArray) -> "ClipFeatures":
        """Some of the clips."""
        files = tuple(self.files[place] for place in places.tolist())
        return ClipFeatures(files, self.labels[places], self.means[places])

    def tokens(self, places: IntArray) -> Tensor:
        """Tokens (B, T * g * g, D) of some of the clips, float32."""
        stacked = np.stack([read_tokens(self.files[place]) for place in places.tolist()])
        return torch.from_numpy(stacked.astype(np.float32)).flatten(1, 2)


def read_tokens(path: Path) -> NDArray[np.float16]:
    """Tokens (T, g * g, D) of a clip.

    Raises:
        InputError: The file is gone or damaged.
    """
    try:
        tokens: NDArray[np.float16] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} holds no features ({error}). Remedy: delete it and run again.") from error
    return tokens
