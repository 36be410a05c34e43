"""Position tables on other grids."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.compat import timm
from vidrep_pipelines.evaluation.encoders.positions import resample_positions

TABLE = torch.randn(1, 17, 8, generator=torch.Generator().manual_seed(0))


def cubic(distance: float) -> float:
    """The kernel of Keys (1981) with a = -0.75."""
    x = abs(distance)
    if x <= 1:
        return 1.25 * x**3 - 2.25 * x**2 + 1
    return -0.75 * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


def direct(table: Tensor, grid: tuple[int, int]) -> Tensor:
    """The rule written out for every entry of a table without prefix (N, N, E)."""
    side = len(table)
    result = torch.zeros(*grid, table.shape[-1], dtype=torch.float64)
    for row in range(grid[0]):
        for column in range(grid[1]):
            center = [
                (place + 0.5) / ((length + 0.1) / side) - 0.5
                for place, length in zip((row, column), grid, strict=True)
            ]
            start = [int(torch.tensor(value).floor()) for value in center]
            for y in range(start[0] - 1, start[0] + 3):
                for x in range(start[1] - 1, start[1] + 3):
                    entry = table[min(max(y, 0), side - 1), min(max(x, 0), side - 1)].double()
                    result[row, column] += cubic(center[0] - y) * cubic(center[1] - x) * entry
    return result


@settings(max_examples=15, deadline=None)
@given(grid=st.tuples(st.integers(1, 9), st.integers(1, 9)).filter(lambda grid: grid != (4, 4)))
def test_default_is_the_published_rule(grid: tuple[int, int]) -> None:
    resampled = resample_positions(TABLE, grid)
    torch.testing.assert_close(resampled[:, :1], TABLE[:, :1], rtol=0, atol=0)
    expected = direct(TABLE[0, 1:].unflatten(0, (4, 4)), grid).flatten(0, 1)
    torch.testing.assert_close(resampled[0, 1:].double(), expected, rtol=0, atol=1e-5)


def test_own_grid_is_left_alone() -> None:
    assert resample_positions(TABLE, (4, 4)) is TABLE


def test_timm_rule_is_timms() -> None:
    expected = timm.layers.resample_abs_pos_embed(TABLE, new_size=[3, 7], num_prefix_tokens=1)
    resampled = resample_positions(TABLE, (3, 7), rule="timm")
    torch.testing.assert_close(resampled, expected, rtol=0, atol=0)
    assert (resampled - resample_positions(TABLE, (3, 7))).abs().max() > 0.01


@pytest.mark.parametrize("prefix", [0, 1, 5])
def test_prefix_is_kept(prefix: int) -> None:
    table = torch.randn(1, prefix + 9, 4)
    resampled = resample_positions(table, (2, 5), prefix)
    assert resampled.shape == (1, prefix + 10, 4)
    torch.testing.assert_close(resampled[:, :prefix], table[:, :prefix], rtol=0, atol=0)


def test_table_of_another_precision_keeps_it() -> None:
    assert resample_positions(TABLE.bfloat16(), (3, 7)).dtype == torch.bfloat16


def test_table_of_no_square_grid() -> None:
    with pytest.raises(InputError, match="no square grid"):
        resample_positions(TABLE, (2, 2), prefix=0)
