"""The miniature's info, laid out as CALVIN's: bodies and links by number, contacts as PyBullet gives them."""

from collections.abc import Mapping, Sequence
from typing import Any

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.evaluation.calvin.miniature_objects import Block, resting_place, support_height
from vidrep_pipelines.evaluation.calvin.oracle import Info, Touch

_ROBOT, _TABLE = 0, 1
_LINKS = {"base_link": -1, "drawer_link": 0, "switch_link": 1, "slide_link": 2, "plank_link": 3}
_CLOSE = 1e-3
"""Meters between surfaces that touch."""


def miniature_info(
    blocks: Sequence[Block],
    held: Block | str | None,
    joints: Mapping[str, float],
    lights: Mapping[str, int],
    hand: FloatArray,
) -> Info:
    """What success is told from.

    Args:
        blocks: All blocks.
        held: What the hand holds: a block, a joint's name, or nothing.
        joints: Positions of slider, drawer, button and switch in meters.
        lights: Whether light bulb and LED shine, 0 or 1.
        hand: (3,) meters.
    """
    numbers = {block.name: 2 + place for place, block in enumerate(blocks)}
    touches = [_touches(block, blocks, held, joints["drawer"]) for block in blocks]
    movable = {
        _scene_name(block): _movable(block, numbers, own) for block, own in zip(blocks, touches, strict=True)
    }
    holding = [(0, _ROBOT, numbers[held.name], -1, -1)] if isinstance(held, Block) else []
    return {
        "robot_info": {"uid": _ROBOT, "tcp_pos": tuple(hand.tolist()), "contacts": holding},
        "scene_info": {
            "fixed_objects": {"table": {"uid": _TABLE, "links": dict(_LINKS), "contacts": []}},
            "movable_objects": movable,
            "doors": {
                "base__slide": {"current_state": joints["slider"]},
                "base__drawer": {"current_state": joints["drawer"]},
            },
            "buttons": {"base__button": {"joint_state": joints["button"]}},
            "switches": {"base__switch": {"joint_state": joints["switch"]}},
            "lights": {name: {"logical_state": value} for name, value in lights.items()},
        },
    }


def _scene_name(block: Block) -> str:
    """``block_red`` for ``red_block``: the benchmark's tasks have other names than its states."""
    return f"block_{block.name.removesuffix('_block')}"


def _movable(block: Block, numbers: Mapping[str, int], touches: Sequence[Touch]) -> dict[str, Any]:
    from scipy.spatial.transform import Rotation  # noqa: PLC0415 - half a second, and listing pipelines comes by here

    own = numbers[block.name]
    bodies = {"robot": _ROBOT, "table": _TABLE, **numbers}
    return {
        "uid": own,
        "current_pos": tuple(block.position.tolist()),
        "current_orn": tuple(Rotation.from_euler("z", block.yaw).as_quat().tolist()),
        "current_lin_vel": (0.0, 0.0, 0.0),
        "contacts": [(0, own, bodies[body], -1, _LINKS.get(part, -1)) for body, part in touches],
    }


def _touches(block: Block, blocks: Sequence[Block], held: Block | str | None, opened: float) -> list[Touch]:
    above = [(other.name, "") for other in blocks if other is not held and other.support == (block.name, "")]
    if block is not held:
        return [block.support, *above]
    support = resting_place(block, blocks, opened)
    lies = block.position[2] < support_height(support, blocks) + _CLOSE
    return [("robot", ""), *above, *([support] if lies else [])]
