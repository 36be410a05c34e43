"""What stands on the miniature's table: places, handles, and what a block comes to lie on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.evaluation.calvin.oracle import Touch

HALF_BLOCK = 0.025
"""Meters from a block's middle to its sides."""
REACH = 0.03
"""Meters from which the hand takes hold."""

BASE: Touch = ("table", "base_link")
PLANK: Touch = ("table", "plank_link")
DRAWER: Touch = ("table", "drawer_link")
BUTTON: FloatArray = np.array([-0.12, -0.1, 0.45])

_TABLE_HEIGHT, _PLANK_HEIGHT, _DRAWER_HEIGHT = 0.45999001, 0.460990009, 0.36
"""Of the middle of a block that lies there."""
_PLANK_BEGINS = 0.06
"""From this y on the sliding cabinet's floor is below."""
DRAWER_FRONT, DRAWER_SIDES = -0.16, (0.08, 0.28)
"""The y where the drawer comes out of the table, and its extent along x."""


@dataclass
class Block:
    """A block where it is now.

    Attributes:
        name: Of the scene, such as ``red_block``.
        position: (3,) of its middle, in meters.
        yaw: Radians.
        support: What it lies on; while it is held, what it lay on.
    """

    name: str
    position: FloatArray
    yaw: float
    support: Touch


@dataclass(frozen=True, eq=False)
class Handle:
    """What the hand moves a joint by.

    Attributes:
        position: (3,) where it is when the joint is at 0.
        axis: (3,) unit vector along which it moves.
        limit: Meters that it moves.
    """

    position: FloatArray
    axis: FloatArray
    limit: float


HANDLES: Mapping[str, Handle] = {
    "slider": Handle(np.array([0.06, 0.03, 0.53]), np.array([-1.0, 0.0, 0.0]), 0.28),
    "drawer": Handle(np.array([0.18, -0.19, 0.38]), np.array([0.0, -1.0, 0.0]), 0.22),
    "switch": Handle(np.array([0.3, 0.03, 0.5]), np.array([0.0, 0.0, 1.0]), 0.088),
}


def door_limits(joint: str) -> float:
    """How far a joint goes, in meters."""
    return HANDLES[joint].limit


def handle_position(joint: str, value: float) -> FloatArray:
    """Where the handle of a joint is (3,)."""
    handle = HANDLES[joint]
    place: FloatArray = handle.position + value * handle.axis
    return place


def over_drawer(place: FloatArray, opened: float) -> bool:
    """Whether a position is over what is open of the drawer."""
    along = DRAWER_SIDES[0] < place[0] < DRAWER_SIDES[1]
    return bool(along and DRAWER_FRONT - opened < place[1] < DRAWER_FRONT)


def resting_place(block: Block, blocks: Sequence[Block], opened: float) -> Touch:
    """What a block lies on once it is let go: another block, the drawer, the cabinet or the table.

    Args:
        block: Where it is.
        blocks: All blocks.
        opened: Meters that the drawer is open.
    """
    below = [
        other
        for other in blocks
        if other is not block
        and np.all(np.abs(other.position[:2] - block.position[:2]) < 1.5 * HALF_BLOCK)
        and other.position[2] + HALF_BLOCK < block.position[2]
    ]
    if below:
        return max(below, key=lambda other: float(other.position[2])).name, ""
    if over_drawer(block.position, opened) or block.position[2] < _TABLE_HEIGHT - HALF_BLOCK:
        return DRAWER
    return PLANK if block.position[1] > _PLANK_BEGINS else BASE


def support_height(support: Touch, blocks: Sequence[Block]) -> float:
    """The height of the middle of a block that lies there, in meters."""
    heights = {BASE: _TABLE_HEIGHT, PLANK: _PLANK_HEIGHT, DRAWER: _DRAWER_HEIGHT}
    if support in heights:
        return heights[support]
    [below] = [block for block in blocks if block.name == support[0]]
    return float(below.position[2]) + 2 * HALF_BLOCK
