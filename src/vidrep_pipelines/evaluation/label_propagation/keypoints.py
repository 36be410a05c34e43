"""Joints to label maps and back (UVC, Li et al. 2019, and its successors)."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidrep_pipelines.common.errors import InputError

JOINTS = 15
LOST = -1.0
NARROWEST_STAMP = 0.5


def to_grid(
    pixels: NDArray[np.float64], image: tuple[int, int], grid: tuple[int, int]
) -> NDArray[np.float64]:
    """Positions (2, ...) as (x, y) in 1-based pixels, as JHMDB stores them, in units of the grid's cells.

    Both axes are stretched to the grid; the aspect is not kept. ``image`` and ``grid`` are (height, width).
    """
    dimensions = pixels.ndim
    positions: NDArray[np.float64] = (pixels - 1) * _per_axis(grid, dimensions) / _per_axis(image, dimensions)
    return positions


def cells_to_pixels(
    positions: NDArray[np.floating], image: tuple[int, int], grid: tuple[int, int]
) -> NDArray[np.float64]:
    """Positions (2, ...) in cells in 0-based pixels, as published without an offset of half a cell."""
    shares = positions.astype(np.float64) / _per_axis(grid, positions.ndim)
    pixels: NDArray[np.float64] = shares * _per_axis(image, positions.ndim)
    return pixels


def _per_axis(size: tuple[int, int], dimensions: int) -> NDArray[np.int64]:
    """(width, height) along the first of so many dimensions."""
    return np.array([size[1], size[0]]).reshape(2, *[1] * (dimensions - 1))


def stamp_width(points: NDArray[np.float64]) -> float:
    """Width of the stamps by the extent of the joints (2, K) in cells, the rule of UVC."""
    return max(NARROWEST_STAMP, 0.015 * float(np.ptp(points, axis=1).max()))


def stamp_joints(points: NDArray[np.float64], height: int, width: int, sigma: float = 0.5) -> Tensor:
    """Label maps of joints.

    Args:
        points: (2, K) as (x, y) in cells; may lie outside of the grid.
        height: Rows of the grid.
        width: Columns of the grid.
        sigma: Width of the Gaussian stamps in cells.

    Returns:
        (1 + K, height, width) float32; channel 0 is background: 1 where there is no joint.

    Raises:
        InputError: A position is not a number.
    """
    if not np.isfinite(points).all():
        raise InputError(f"Joint {int(np.argwhere(~np.isfinite(points))[0, 1])} has no position (NaN).")
    joints = np.zeros((points.shape[1], height, width), dtype=np.float32)
    for channel, (x, y) in zip(joints, points.T, strict=True):
        _stamp(channel, float(x), float(y), sigma)
    background = (joints == 0).all(axis=0, keepdims=True).astype(np.float32)
    return torch.from_numpy(np.concatenate([background, joints]))


def stamp_known_joints(points: NDArray[np.float64], height: int, width: int, extent: bool) -> Tensor:
    """Label maps of the joints that have a position; the others have none anywhere.

    Args:
        points: (2, K) as (x, y) in cells; NaN: the joint has no position.
        height: Rows of the grid.
        width: Columns of the grid.
        extent: The width of the stamps follows the extent of the joints; else it is half a cell.

    Returns:
        (1 + K, height, width) float32, see :func:`stamp_joints`.
    """
    known = np.flatnonzero(np.isfinite(points).all(axis=0))
    positions = points[:, known]
    stamped = torch.zeros(1 + points.shape[1], height, width)
    sigma = stamp_width(positions) if extent else NARROWEST_STAMP
    stamped[[0, *(1 + known)]] = stamp_joints(positions, height, width, sigma)
    return stamped


def _stamp(channel: NDArray[np.float32], x: float, y: float, sigma: float) -> None:
    """Pastes the visible part. The corners round toward zero, as published, so stamps near it are cut."""
    height, width = channel.shape
    left, top = math.trunc(x - 3 * sigma), math.trunc(y - 3 * sigma)
    right, bottom = math.trunc(x + 3 * sigma + 1), math.trunc(y + 3 * sigma + 1)
    if left >= width or top >= height or right < 0 or bottom < 0:
        return
    profile = _profile(sigma)
    columns, rows = slice(max(0, left), min(right, width)), slice(max(0, top), min(bottom, height))
    channel[rows, columns] = np.outer(
        profile[rows.start - top : rows.stop - top], profile[columns.start - left : columns.stop - left]
    )


def _profile(sigma: float) -> NDArray[np.float64]:
    """The stamp along one axis; its square is the stamp."""
    size = 6 * sigma + 1
    offsets = np.arange(math.ceil(size)) - math.floor(size / 2)
    profile: NDArray[np.float64] = np.exp(-(offsets**2) / (2 * sigma**2))
    return profile


def decode_joints(soft: Tensor, best: int = 3) -> NDArray[np.float32]:
    """Positions from soft labels: the weighted mean of each joint's best cells.

    Args:
        soft: (..., 1 + K, h, w), background first.
        best: How many; videowalk takes 3, CropMAE 5.

    Returns:
        (..., 2, K) as (x, y) in cells; -1, -1 for a joint whose channel is 0 everywhere.
    """
    height, width = soft.shape[-2:]
    joints = soft[..., 1:, :, :].flatten(-2).float()
    weights, cells = joints.topk(min(best, height * width), dim=-1)
    total = weights.sum(dim=-1, keepdim=True)
    weights = weights / torch.where(total > 0, total, 1)
    x = (weights * (cells % width)).sum(dim=-1)
    y = (weights * (cells // width)).sum(dim=-1)
    lost = (joints == 0).all(dim=-1)
    positions = torch.stack([x, y], dim=-2).masked_fill(lost[..., None, :], LOST)
    result: NDArray[np.float32] = positions.cpu().numpy()
    return result
