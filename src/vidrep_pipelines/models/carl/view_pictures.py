"""What training sees: the frames of augmented views, at their times."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor

from vidrep_pipelines.data.clips.dataset import Sample
from vidrep_pipelines.data.transforms import denormalize
from vidrep_pipelines.reporting.pictures import Row, image_grid

_COLUMNS = 10
_CELL = 96


def views_sheet(samples: Sequence[tuple[str, Sample, Tensor]], context_frames: int) -> Image:
    """A row of frames for each view of a few samples.

    Args:
        samples: Name of the video; the sample, as ``ViewDataset`` makes it; its frames (V, K * T, 3, S, S)
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


def _row(label: str, frames: Tensor, sample: Sample, view: int) -> Row:
    chosen = np.unique(np.linspace(0, len(frames) - 1, _COLUMNS).round().astype(int))
    positions, mask = sample["positions"][view], sample["mask"][view]
    captions = [str(int(positions[place])) if mask[place] else "padding" for place in chosen]
    return Row([_pixels(frames[place]) for place in chosen], label, captions)


def _pixels(frame: Tensor) -> NDArray[np.uint8]:
    """A normalized frame (3, S, S) as (S, S, 3)."""
    picture: NDArray[np.uint8] = denormalize(frame).movedim(0, -1).cpu().numpy()
    return picture
