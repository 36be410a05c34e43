"""A ViT's position table for a grid that it was not made for."""

from math import isqrt

import torch
from torch import Tensor
from torch.nn import functional as F

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.compat import timm
from vidrep_pipelines.evaluation.encoders.config import PositionRule

_OFFSET = 0.1
"""DINO adds it to the grid so that rounding never loses a row; it shifts all coordinates a little."""


def resample_positions(
    table: Tensor, grid: tuple[int, int], prefix: int = 1, rule: PositionRule = "dino"
) -> Tensor:
    """Resamples a table made for a square grid.

    Args:
        table: (1, prefix + N * N, E).
        grid: Rows and columns wanted.
        prefix: Entries that belong to no patch (CLS, registers); they stay as they are.
        rule: ``dino`` as published (Caron et al. 2021, arXiv 2104.14294), or ``timm``.

    Returns:
        (1, prefix + rows * columns, E); the table itself if its grid is the wanted one.

    Raises:
        InputError: The table is not that of a square grid.
    """
    side = isqrt(table.shape[1] - prefix)
    if side**2 != table.shape[1] - prefix:
        raise InputError(
            f"A position table of {table.shape[1] - prefix} patches belongs to no square grid, so it cannot "
            "be resampled. Remedy: use an encoder that was trained on square images."
        )
    if grid == (side, side):
        return table
    if rule == "timm":
        resampled: Tensor = timm.layers.resample_abs_pos_embed(
            table, new_size=list(grid), num_prefix_tokens=prefix
        )
        return resampled
    patches = table[:, prefix:].transpose(1, 2).reshape(1, -1, side, side).float()
    scale = ((grid[0] + _OFFSET) / side, (grid[1] + _OFFSET) / side)
    # The scale itself, not the ratio of the sizes, maps the coordinates.
    resized = F.interpolate(patches, scale_factor=scale, mode="bicubic")
    tokens = resized.flatten(2).transpose(1, 2).to(table.dtype)
    return torch.cat([table[:, :prefix], tokens], dim=1)
