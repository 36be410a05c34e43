"""Label maps of pixels to labels on the feature grid, and back."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from vidrep_pipelines.data.label_sequences.images import labels_of
from vidrep_pipelines.evaluation.label_propagation.config import Variant
from vidrep_pipelines.evaluation.label_propagation.errors import LabelImageError
from vidrep_pipelines.evaluation.label_propagation.preprocessing import (
    bilinear_one_hot,
    nearest_one_hot,
    resize_labels,
)

VOID = 255


def without_void(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The label map with 255, DAVIS's "undecided", turned to background."""
    return np.where(labels == VOID, np.uint8(0), labels) if labels.max() == VOID else labels


def renumbered(labels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A first label map (H, W) with its labels renumbered from 0, without void.

    Labels with gaps, such as 38 and 75, would make as many channels as the largest one.

    Returns:
        The map (H, W), and (C,) the former label of each new one; the first one is background.
    """
    clean = without_void(labels)
    former = np.array(sorted({0, *labels_of(clean)}), dtype=np.uint8)
    return np.searchsorted(former, clean).astype(np.uint8), former


def first_labels(labels: NDArray[np.uint8], height: int, width: int, variant: Variant) -> Tensor:
    """What the first frame's label map (H, W) says on a grid: (C, height, width) float32 in [0, 1].

    Channel k belongs to label k, void (255) to background. ``dino`` and ``dinov3`` take the nearest label,
    with channels up to the largest label that is left, so that an object too small for the grid is lost;
    ``videowalk`` resizes bilinearly, with channels up to the largest label.
    """
    clean = without_void(labels)
    if variant != "videowalk":
        return torch.from_numpy(nearest_one_hot(clean, height, width))
    maps, classes = bilinear_one_hot(clean, height, width)
    on_grid = torch.zeros(int(classes[-1]) + 1, height, width)
    on_grid[classes.astype(np.int64)] = torch.from_numpy(maps)
    return on_grid


def vanished_objects(labels: NDArray[np.uint8], on_grid: Tensor) -> list[int]:
    """Objects of the label map (H, W) that no cell of the grid's labels (C, h, w) belongs to most of all."""
    winners = set(on_grid.argmax(dim=0).flatten().tolist())
    return [index for index in np.unique(without_void(labels)).tolist() if index not in winners]


def hard_labels(
    soft: Tensor, size: tuple[int, int], original: tuple[int, int], variant: Variant
) -> NDArray[np.uint8]:
    """The label map of a frame from its soft labels.

    Args:
        soft: (C, h, w).
        size: Height and width of the network's input, to which soft labels are upsampled bilinearly; not used
            by ``dinov3``, which goes to the original size by nearest neighbor.
        original: Height and width of the result, reached by nearest neighbor.
        variant: ``dino`` and ``dinov3`` stretch each channel to [0, 1] over the frame before the largest one
            wins; ``videowalk`` does not.

    Returns:
        (height, width) uint8; of equal channels the first one wins.

    Raises:
        LabelImageError: More channels than a label image can tell apart.
    """
    if len(soft) > VOID:
        raise LabelImageError(f"{len(soft)} labels do not fit an 8-bit label image; use at most {VOID}.")
    if variant == "dinov3":
        large = _stretched(F.interpolate(soft[None], size=original, mode="nearest")[0], constant=0.0)
        return large.argmax(dim=0).to(torch.uint8).cpu().numpy()
    large = F.interpolate(soft[None], size=size, mode="bilinear", align_corners=False)[0]
    if variant == "dino":
        large = _stretched(large, constant=torch.inf)
    winners = large.argmax(dim=0).to(torch.uint8).cpu().numpy()
    return resize_labels(winners, *original)


def _stretched(maps: Tensor, constant: float) -> Tensor:
    """Each channel with anything in it from 0 to 1 over the frame, or a constant where it is constant.

    The originals divide zero by zero when a channel is constant and positive, which happens when one label
    covers the frame. In DINO's the resulting NaN wins its argmax, and infinity wins in the same way; DINOv3's
    turns it to 0, so that background wins.
    """
    least, largest = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
    span = largest - least
    stretched = torch.where(span > 0, (maps - least) / span, constant)
    return torch.where(largest > 0, stretched, maps)
