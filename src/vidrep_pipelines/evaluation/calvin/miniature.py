"""CALVIN in miniature: its observations, actions and info, without a physics engine.

Blocks, a sliding door, a drawer, a switch and a button on a table, in meters and roughly where the benchmark
has them. The hand is where its target is; what it holds moves with it, and what is let go falls straight
down. So the whole evaluation runs anywhere in seconds, and tasks can be done by a script. Nothing is pushed
aside, and nothing collides: numbers of the miniature are no numbers of CALVIN.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.evaluation.calvin.initial_scene import BLOCK_STARTS, ROBOT_NUMBERS, SCENE_NUMBERS
from vidrep_pipelines.evaluation.calvin.miniature_info import miniature_info
from vidrep_pipelines.evaluation.calvin.miniature_objects import (
    BASE,
    BUTTON,
    DRAWER,
    HALF_BLOCK,
    HANDLES,
    REACH,
    Block,
    door_limits,
    handle_position,
    resting_place,
    support_height,
)
from vidrep_pipelines.evaluation.calvin.miniature_pictures import paint_miniature
from vidrep_pipelines.evaluation.calvin.oracle import Info

_METERS, _RADIANS = 0.02, 0.05
_WORKSPACE = (np.array([-0.4, -0.45, 0.3]), np.array([0.4, 0.2, 0.8]))
_OPEN_WIDTH, _BLOCK_WIDTH = 0.08, 2 * HALF_BLOCK


class MiniatureConfig(FrozenConfig):
    """Size of the miniature's pictures."""

    static_size: int = 32
    """Pixels on a side of the picture of the table."""

    gripper_size: int = 16
    """Pixels on a side of the picture about the hand."""


@dataclass(frozen=True)
class MiniatureMaker:
    """Makes miniatures; see :class:`~vidrep_pipelines.evaluation.calvin.world.CalvinWorldMaker`.

    Attributes:
        config: Size of the pictures.
    """

    config: MiniatureConfig = field(default_factory=MiniatureConfig)

    @property
    def renderer(self) -> str:
        """The miniature's own."""
        return "miniature"

    @property
    def identity(self) -> Mapping[str, Any]:
        """The size of its pictures."""
        return {"world": "miniature", **self.config.model_dump()}

    def make(self) -> "MiniatureWorld":
        """A fresh one."""
        return MiniatureWorld(self.config)


class MiniatureWorld:
    """See :class:`~vidrep_pipelines.evaluation.calvin.world.CalvinWorld`.

    Args:
        config: Size of the pictures.
    """

    renderer = "miniature"

    def __init__(self, config: MiniatureConfig) -> None:
        self._config = config
        self.renderings = 0
        self.reset(np.zeros(ROBOT_NUMBERS), np.zeros(SCENE_NUMBERS))

    def reset(self, robot_obs: FloatArray, scene_obs: FloatArray) -> None:
        """Puts everything in its place; blocks lie on what is below them."""
        self._robot = np.array(robot_obs, np.float64)
        scene = np.asarray(scene_obs, np.float64)
        self.joints = dict(zip(("slider", "drawer", "button", "switch"), scene[:4].tolist(), strict=True))
        self.lights = {"lightbulb": int(scene[4] > 0.5), "led": int(scene[5] > 0.5)}
        self.blocks = [
            Block(name, scene[start : start + 3].copy(), float(scene[start + 5]), BASE)
            for name, start in BLOCK_STARTS.items()
        ]
        for block in self.blocks:
            block.support = resting_place(block, self.blocks, self.joints["drawer"])
        self.held: Block | str | None = None

    @property
    def hand(self) -> FloatArray:
        """Position (3,) of the hand in meters."""
        return self._robot[:3]

    def step(self, action: FloatArray) -> None:
        """One control step; parts of the action beyond -1..1 count as these."""
        told = np.clip(action, -1, 1)
        is_open = told[6] > 0
        if is_open:
            self._let_go()
        before = self.hand.copy()
        self._robot[:3] = np.clip(before + _METERS * told[:3], *_WORKSPACE)
        self._robot[3:6] += _RADIANS * told[3:6]
        self._carry(self.hand - before, _RADIANS * float(told[5]))
        if not is_open and self._robot[14] > 0:
            self.held = self._within_reach()
        self._robot[14] = told[6]
        self._robot[6] = _OPEN_WIDTH if is_open else _BLOCK_WIDTH * (self.held is not None)
        self._press_button()

    def _let_go(self) -> None:
        if isinstance(self.held, Block):
            self.held.support = resting_place(self.held, self.blocks, self.joints["drawer"])
            self.held.position[2] = support_height(self.held.support, self.blocks)
        self.held = None

    def _carry(self, way: FloatArray, turn: float) -> None:
        """Moves what is held, and what lies on or in it."""
        if isinstance(self.held, Block):
            self.held.position += way
            self.held.yaw += turn
            lowest = support_height(resting_place(self.held, self.blocks, self.joints["drawer"]), self.blocks)
            self.held.position[2] = max(self.held.position[2], lowest)
            self._drop_what_lay_on(self.held)
        elif self.held is not None:
            self._move_joint(self.held, way)

    def _drop_what_lay_on(self, held: Block) -> None:
        for block in self.blocks:
            if block is not held and block.support == (held.name, ""):
                block.support = resting_place(block, [other for other in self.blocks if other is not held],
                                              self.joints["drawer"])  # fmt: skip
                block.position[2] = support_height(block.support, self.blocks)

    def _move_joint(self, joint: str, way: FloatArray) -> None:
        before = self.joints[joint]
        moved = before + float(way @ HANDLES[joint].axis)
        self.joints[joint] = float(np.clip(moved, 0, door_limits(joint)))
        self._robot[:3] = handle_position(joint, self.joints[joint])
        if joint == "drawer":
            for block in self.blocks:
                if block.support == DRAWER:
                    block.position += (self.joints[joint] - before) * HANDLES[joint].axis
        if joint == "switch":
            self.lights["lightbulb"] = int(self.joints[joint] > door_limits(joint) / 2)

    def _within_reach(self) -> Block | str | None:
        """What the closing hand takes: the nearest block or handle."""
        places: list[tuple[FloatArray, Block | str]] = [(block.position, block) for block in self.blocks]
        places += [(handle_position(joint, self.joints[joint]), joint) for joint in HANDLES]
        distances = [float(np.linalg.norm(self.hand - place)) for place, _ in places]
        nearest = int(np.argmin(distances))
        return places[nearest][1] if distances[nearest] < REACH else None

    def _press_button(self) -> None:
        pressed = bool(np.all(np.abs(self.hand - BUTTON) < REACH)) and self.held is None
        if pressed and not self.joints["button"]:
            self.lights["led"] = 1 - self.lights["led"]
        self.joints["button"] = float(pressed)

    def robot_obs(self) -> FloatArray:
        """(15,) the joints stay as they were, as there is no arm."""
        return self._robot.copy()

    def scene_obs(self) -> FloatArray:
        """(24,) see :func:`~vidrep_pipelines.evaluation.calvin.initial_scene.initial_observations`."""
        scene = np.zeros(SCENE_NUMBERS)
        scene[:6] = [*self.joints.values(), self.lights["lightbulb"], self.lights["led"]]
        for block, start in zip(self.blocks, BLOCK_STARTS.values(), strict=True):
            scene[start : start + 3], scene[start + 5] = block.position, block.yaw
        return scene

    def get_obs(self, *, pictures: bool) -> dict[str, Any]:
        """See :class:`~vidrep_pipelines.evaluation.calvin.world.CalvinWorld`."""
        numbers = {"robot_obs": self.robot_obs(), "scene_obs": self.scene_obs()}
        if not pictures:
            return numbers
        self.renderings += 1
        static, gripper = self._config.static_size, self._config.gripper_size
        table = paint_miniature(numbers["robot_obs"], numbers["scene_obs"], static)
        near = paint_miniature(numbers["robot_obs"], numbers["scene_obs"], gripper, about_hand=True)
        return {"rgb_static": table, "rgb_gripper": near, **numbers}

    def get_info(self) -> Info:
        """In the layout of CALVIN's info."""
        return miniature_info(self.blocks, self.held, self.joints, self.lights, self.hand)

    def close(self) -> None:
        """There is nothing to free."""
