"""Scripts that do the benchmark's tasks in the miniature, as a policy: for replays and demonstrations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.evaluation.calvin.initial_scene import BLOCK_STARTS, ROBOT_NUMBERS
from vidrep_pipelines.evaluation.calvin.miniature_objects import (
    BUTTON,
    DRAWER_FRONT,
    DRAWER_SIDES,
    HALF_BLOCK,
    REACH,
    door_limits,
    handle_position,
)
from vidrep_pipelines.evaluation.calvin.tasks import calvin_task, calvin_tasks
from vidrep_pipelines.evaluation.rollouts.protocol import PlanRequest

_METERS, _RADIANS = 0.02, 0.05
_SAFE_HEIGHT = 0.65
_STILL = 2
_CABINET = tuple(np.array([x, 0.0924044687]) for x in (-0.240851662, 0.070341633, -0.085))
_TURN = np.deg2rad(70)
_Arguments = Sequence[float | str]


class MiniatureExpert:
    """Writes a script when an attempt begins, and reads chunks from it.

    What it looks at is the observation's state, robot and scene, and no picture.

    Args:
        chunk_length: Actions of a plan.
    """

    def __init__(self, chunk_length: int = 10) -> None:
        self._chunk_length = chunk_length
        self._scripts: dict[str, FloatArray] = {}

    @property
    def chunk_length(self) -> int:
        """See :class:`~vidrep_pipelines.evaluation.rollouts.protocol.ChunkPolicy`."""
        return self._chunk_length

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        """(B, T, 7): the next actions of each script; after its end the hand stays."""
        return np.stack([self._chunk(request) for request in requests])

    def _chunk(self, request: PlanRequest) -> FloatArray:
        if request.step == 0:
            names = {task.instruction: task.name for task in calvin_tasks()}
            task = names[request.instruction]
            self._scripts[request.episode] = script_for_task(task, request.observation.state)
        script = self._scripts[request.episode]
        rest = script[request.step : request.step + self._chunk_length]
        still = np.zeros((self._chunk_length, 7))
        still[:, 6] = script[-1, 6]
        still[: len(rest)] = rest
        return still


@dataclass(frozen=True)
class MiniatureExpertMaker:
    """Makes experts; see :class:`~vidrep_pipelines.evaluation.rollouts.protocol.PolicyMaker`.

    Attributes:
        chunk_length: Actions of a plan.
    """

    chunk_length: int = 10

    @property
    def identity(self) -> Mapping[str, Any]:
        """Its scripts do not depend on how many actions are read at once."""
        return {"policy": "miniature expert"}

    def make(self) -> MiniatureExpert:
        """A fresh one, without scripts."""
        return MiniatureExpert(self.chunk_length)


def script_for_task(task: str, state: FloatArray) -> FloatArray:
    """Actions (N, 7) that do a task from a state on.

    Args:
        task: The benchmark's name.
        state: (39,) numbers of robot and scene.
    """
    script = _Script(state)
    kind, *arguments = calvin_task(task).success
    if kind not in ("place_object", "stack_objects"):
        script.open()
    script.rise()
    _SCRIPTS[kind](script, arguments)
    return script.written()


class _Script:
    """Actions as they are written, and where the hand is after them."""

    def __init__(self, state: FloatArray) -> None:
        robot, self.scene = state[:ROBOT_NUMBERS], state[ROBOT_NUMBERS:]
        self._began = robot[:3].copy()
        self.hand, self.gripper = robot[:3].copy(), float(np.sign(robot[14]) or 1)
        self._actions: list[FloatArray] = []

    def written(self) -> FloatArray:
        return np.array(self._actions)

    def block(self, scene_name: str) -> FloatArray:
        """Position (3,) of ``block_red``."""
        start = BLOCK_STARTS[f"{scene_name.removeprefix('block_')}_block"]
        return self.scene[start : start + 3].copy()

    def blocks(self) -> list[FloatArray]:
        return [self.scene[start : start + 3].copy() for start in BLOCK_STARTS.values()]

    def others(self) -> list[FloatArray]:
        """The blocks that were not in the hand when the script began."""
        return [block for block in self.blocks() if np.linalg.norm(block - self._began) > REACH]

    def _add(self, way: FloatArray, turn: float = 0.0) -> None:
        self._actions.append(np.array([*(way / _METERS), 0, 0, turn / _RADIANS, self.gripper]))
        self.hand = self.hand + way

    def open(self) -> None:
        self.gripper = 1.0
        for _ in range(_STILL):
            self._add(np.zeros(3))

    def close(self) -> None:
        self.gripper = -1.0
        for _ in range(_STILL):
            self._add(np.zeros(3))

    def move(self, place: FloatArray) -> None:
        """On a straight line at full speed."""
        way = np.asarray(place) - self.hand
        steps = max(1, int(np.ceil(np.abs(way).max() / _METERS)))
        for _ in range(steps):
            self._add(way / steps)

    def turn(self, angle: float) -> None:
        steps = int(np.ceil(abs(angle) / _RADIANS))
        for _ in range(steps):
            self._add(np.zeros(3), angle / steps)

    def rise(self) -> None:
        self.move(np.array([*self.hand[:2], _SAFE_HEIGHT]))

    def over(self, place: FloatArray) -> None:
        """To a place from above."""
        self.rise()
        self.move(np.array([*place[:2], _SAFE_HEIGHT]))
        self.move(place)

    def take(self, place: FloatArray) -> None:
        self.over(place)
        self.close()


def _rotate(script: _Script, arguments: _Arguments) -> None:
    name, degrees = arguments
    script.take(script.block(str(name)))
    script.turn(float(np.sign(float(degrees))) * _TURN)


def _push(script: _Script, arguments: _Arguments) -> None:
    place = script.block(str(arguments[0]))
    script.take(place)
    script.move(place + np.array([1.2 * float(arguments[1]), 0, 0]))


def _move_door(script: _Script, arguments: _Arguments) -> None:
    joint, number = {"base__slide": ("slider", 0), "base__drawer": ("drawer", 1)}[str(arguments[0])]
    goal = door_limits(joint) if float(arguments[1]) > 0 else 0.0
    script.take(handle_position(joint, float(script.scene[number])))
    script.move(handle_position(joint, goal))


def _lift(script: _Script, arguments: _Arguments) -> None:
    place = script.block(str(arguments[0]))
    script.take(place)
    script.move(place + np.array([0, 0, 2 * float(arguments[1])]))


def _place(script: _Script, arguments: _Arguments) -> None:
    """Where no other block is near."""
    others = script.others()
    if arguments[1] == "plank_link":
        free = max(_CABINET, key=lambda spot: _nearest(others, spot))
        script.over(np.array([*free, 0.48]))
    else:
        script.over(_in_drawer(script, 0.38))
    script.open()


def _nearest(blocks: Sequence[FloatArray], spot: FloatArray) -> float:
    """Meters from a spot (2,) to the nearest of some blocks."""
    return min(float(np.linalg.norm(block[:2] - spot)) for block in blocks)


def _in_drawer(script: _Script, height: float) -> FloatArray:
    return np.array([np.mean(DRAWER_SIDES), DRAWER_FRONT - script.scene[1] / 2, height])


def _stack(script: _Script, arguments: _Arguments) -> None:
    """On the nearest other block."""
    below = min(script.others(), key=lambda block: float(np.linalg.norm(block[:2] - script.hand[:2])))
    script.over(below + np.array([0, 0, 2 * HALF_BLOCK + 0.01]))
    script.open()


def _unstack(script: _Script, arguments: _Arguments) -> None:
    """The highest block, to a place on the table beside all others."""
    top = max(script.blocks(), key=lambda block: float(block[2]))
    script.take(top)
    spots = [np.array([x, -0.12]) for x in (-0.3, -0.2, 0.05, 0.3)]
    free = max(spots, key=lambda spot: _nearest(script.blocks(), spot))
    script.over(np.array([*free, 0.47]))
    script.open()


def _toggle(script: _Script, arguments: _Arguments) -> None:
    if arguments[0] == "led":
        script.over(BUTTON)
        return
    script.take(handle_position("switch", float(script.scene[3])))
    script.move(handle_position("switch", door_limits("switch") if arguments[2] else 0.0))


def _push_into_drawer(script: _Script, arguments: _Arguments) -> None:
    """The block that lies on the table, over the drawer's edge."""
    place = min(script.blocks(), key=lambda block: float(block[1]) + 10 * (block[2] < 0.4))
    script.take(place)
    script.move(_in_drawer(script, float(place[2])))
    script.open()


_SCRIPTS: Mapping[str, Callable[[_Script, _Arguments], None]] = {
    "rotate_object": _rotate,
    "push_object": _push,
    "move_door_rel": _move_door,
    "lift_object": _lift,
    "place_object": _place,
    "stack_objects": _stack,
    "unstack_objects": _unstack,
    "toggle_light": _toggle,
    "push_object_into": _push_into_drawer,
}
