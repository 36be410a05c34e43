"""Pictures of the miniature: the table from above, and what is near the hand."""

from collections.abc import Iterator

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray, Pixels
from vidrep_pipelines.evaluation.calvin.initial_scene import BLOCK_STARTS
from vidrep_pipelines.evaluation.calvin.miniature_objects import (
    BUTTON,
    DRAWER_FRONT,
    DRAWER_SIDES,
    HALF_BLOCK,
    HANDLES,
    handle_position,
)

_Color = tuple[int, int, int]
_Rectangle = tuple[float, float, float, float, _Color]
"""Middle x and y, half width, half depth in meters, and the color."""

_TABLE_MIDDLE, _TABLE_HALF, _NEAR_HALF = (0.0, -0.1), 0.4, 0.1
_THIN = 0.014
"""Meters: half of what a pixel of the usual picture shows, so that nothing falls between two."""
_WOOD: _Color = (176, 144, 104)
_BLOCK_COLORS: tuple[_Color, ...] = ((208, 40, 40), (40, 72, 208), (232, 128, 184))


def paint_miniature(
    robot_obs: FloatArray, scene_obs: FloatArray, size: int, *, about_hand: bool = False
) -> Pixels:
    """The scene from above, x to the right and y upward.

    Args:
        robot_obs: (15,) numbers of the robot.
        scene_obs: (24,) numbers of the scene.
        size: Pixels on a side.
        about_hand: Whether 20 cm about the hand are shown, instead of the whole table.

    Returns:
        (size, size, 3) uint8.
    """
    middle, half = (robot_obs[:2], _NEAR_HALF) if about_hand else (_TABLE_MIDDLE, _TABLE_HALF)
    ticks = half * ((np.arange(size) + 0.5) * 2 / size - 1)
    x, y = ticks + middle[0], middle[1] - ticks
    picture = np.full((size, size, 3), _WOOD, np.uint8)
    for across, up, width, depth, color in _rectangles(robot_obs, scene_obs):
        picture[np.ix_(np.abs(y - up) < depth, np.abs(x - across) < width)] = color
    return picture


def _rectangles(robot_obs: FloatArray, scene_obs: FloatArray) -> Iterator[_Rectangle]:
    """What is painted, the lowest first."""
    slider, drawer, button, switch, bulb, led = scene_obs[:6].tolist()
    yield 0.0, 0.15, 0.33, 0.09, (96, 72, 56)
    middle, half = float(np.mean(DRAWER_SIDES)), (DRAWER_SIDES[1] - DRAWER_SIDES[0]) / 2
    yield middle, DRAWER_FRONT - drawer / 2, half, drawer / 2, (128, 104, 72)
    yield BUTTON[0], BUTTON[1], 0.02, 0.02, (64, 160, 64) if button else (96, 96, 160)
    yield 0.3, 0.2, 0.03, 0.03, (255, 232, 64) if bulb else (72, 72, 48)
    yield -0.3, 0.2, 0.03, 0.03, (64, 255, 96) if led else (48, 72, 48)
    blocks = zip(BLOCK_STARTS.values(), _BLOCK_COLORS, strict=True)
    for start, color in sorted(blocks, key=lambda block: float(scene_obs[block[0] + 2])):
        yield scene_obs[start], scene_obs[start + 1], HALF_BLOCK, HALF_BLOCK, color
    yield handle_position("slider", slider)[0], 0.05, 0.14, _THIN, (200, 200, 208)
    yield (
        handle_position("drawer", drawer)[0],
        handle_position("drawer", drawer)[1],
        0.04,
        _THIN,
        (88, 88, 96),
    )
    yield HANDLES["switch"].position[0], 0.03 + switch / 2, _THIN, _THIN + switch / 2, (152, 152, 160)
    height = 120 + 160 * float(np.clip(robot_obs[2] - 0.3, 0, 0.5))
    arm: _Color = (int(height), int(height), int(height)) if robot_obs[14] > 0 else (16, 16, 24)
    yield robot_obs[0], robot_obs[1], _THIN, 0.03, arm
    yield robot_obs[0], robot_obs[1], 0.03, _THIN, arm
