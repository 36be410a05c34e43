"""Pictures of CARL at work: the views it trains on, and how they find one another in time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor

from vidrep_pipelines.data.clips.dataset import Sample
from vidrep_pipelines.data.transforms import denormalize
from vidrep_pipelines.models.carl.model import CarlModel
from vidrep_pipelines.reporting.figures import COLORS, SOFT_INK, image_of, plain_axes
from vidrep_pipelines.reporting.pictures import ImageRow, image_grid

_PANEL = 3.4


@dataclass(frozen=True)
class ViewPair:
    """Two views of a video.

    Attributes:
        name: The video's name.
        frames: (2, T, 3, S, S) normalized.
        positions: (2, T) in frames of the video.
        mask: (2, T) 1 for real frames.
    """

    name: str
    frames: Tensor
    positions: Tensor
    mask: Tensor


@torch.no_grad()
def view_similarity(model: CarlModel, pair: ViewPair) -> tuple[NDArray[np.float32], Tensor, Tensor]:
    """Cosine similarities of the real frames of two views.

    Args:
        model: The model in evaluation mode, on the device of the frames.
        pair: The views.

    Returns:
        (T1, T2) similarities, and the positions (T1,) and (T2,) of the frames.
    """
    embeddings = torch.nn.functional.normalize(model.embed(pair.frames, pair.mask).float(), dim=-1)
    real = pair.mask.bool()
    real = real | ~real.any(dim=1, keepdim=True)  # a very short video may be all padding
    first, second = (embeddings[view][real[view]] for view in (0, 1))
    positions = [pair.positions[view][real[view]].cpu() for view in (0, 1)]
    similarity: NDArray[np.float32] = (first @ second.T).cpu().numpy()
    return similarity, positions[0], positions[1]


def similarity_sheet(model: CarlModel, pairs: list[ViewPair]) -> Image:
    """Draws for each video how similar the frames of two views are, by their time.

    The line shows equal times; the dots, for each frame of the first view, its most similar one in the
    second.
    """
    figure = Figure(figsize=(_PANEL * len(pairs), _PANEL + 0.6), layout="constrained")
    for number, pair in enumerate(pairs, start=1):
        _draw(figure.add_subplot(1, len(pairs), number), pair.name, *view_similarity(model, pair))
    return image_of(figure)


def _draw(axes: Axes, name: str, similarity: NDArray[np.float32], first: Tensor, second: Tensor) -> None:
    rows, columns = first.numpy().astype(float), second.numpy().astype(float)
    nearest = columns[similarity.argmax(axis=1)]
    error = float(np.abs(nearest - rows).mean())
    axes.pcolormesh(_edges(columns), _edges(rows), similarity, cmap="Blues", linewidth=0)
    axes.plot([0, columns.max()], [0, columns.max()], color=SOFT_INK, linewidth=0.8, linestyle="--")
    axes.plot(
        nearest, rows, "o", color=COLORS[3], markeredgecolor="white", markersize=3.5, markeredgewidth=0.4
    )
    plain_axes(axes, f"{name}\nnearest frame off by {error:.1f} frames", "frame of view 2")
    axes.set_ylabel("frame of view 1", fontsize=9, color=SOFT_INK)
    axes.grid(visible=False)


def _edges(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n + 1,) borders halfway between ascending positions (n,)."""
    between = (positions[1:] + positions[:-1]) / 2
    return np.concatenate([positions[:1] - 0.5, between, positions[-1:] + 0.5])


_COLUMNS = 10
_CELL = 96


def views_sheet(samples: Sequence[tuple[str, Sample, Tensor]], context_frames: int) -> Image:
    """A row of frames for each view of a few samples.

    Args:
        samples: Name of the video; the sample, as ``ExcerptDataset`` makes it; its frames (V, K * T, 3, S, S)
            as the model gets them, normalized.
        context_frames: K.
    """
    rows = [
        _row(
            f"{name}\nview {view + 1} of {len(frames)}",
            frames[view][context_frames - 1 :: context_frames],
            sample,
            view,
        )
        for name, sample, frames in samples
        for view in range(len(frames))
    ]
    return image_grid(
        rows, heading="Augmented views, and the frame of the video at each position", cell_height=_CELL
    )


def _row(label: str, frames: Tensor, sample: Sample, view: int) -> ImageRow:
    places = np.unique(np.linspace(0, len(frames) - 1, _COLUMNS).round().astype(int))
    positions, mask = sample["positions"][view], sample["mask"][view]
    captions = [str(int(positions[place])) if mask[place] else "padding" for place in places]
    return ImageRow([_pixels(frames[place]) for place in places], label, captions)


def _pixels(frame: Tensor) -> NDArray[np.uint8]:
    """A normalized frame (3, S, S) as (S, S, 3)."""
    picture: NDArray[np.uint8] = denormalize(frame).movedim(0, -1).cpu().numpy()
    return picture
