"""Fixed two-dimensional sine and cosine positions."""

import torch
from torch import Tensor

_BASE = 10000.0


def sine_cosine_positions(dimension: int, grid: int) -> Tensor:
    """The position table of a square grid behind a CLS token, (1, 1 + grid * grid, dimension) in float32.

    The CLS row is zero. The first half of the channels encodes the column, the second half the row; each half
    is ``[sin(k w_j), cos(k w_j)]`` with ``w_j = 10000 ** (-j / (dimension / 4))``.

    Args:
        dimension: Number of channels, a multiple of 4.
        grid: Number of patches along one side.
    """
    quarter = dimension // 4
    frequencies = _BASE ** (-torch.arange(quarter, dtype=torch.float64) / quarter)
    angles = torch.arange(grid, dtype=torch.float64)[:, None] * frequencies
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)
    columns, rows = waves.repeat(grid, 1), waves.repeat_interleave(grid, dim=0)
    table = torch.cat([columns, rows], dim=1)
    return torch.cat([table.new_zeros(1, dimension), table]).float().unsqueeze(0)
