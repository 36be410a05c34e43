"""When a task is done: tests of two snapshots of the simulator, at the beginning of the attempt and now.

A snapshot is what CALVIN's environment calls ``info``: poses, speeds and contacts of the blocks, positions of
doors, states of lights. Thresholds are the benchmark's (arXiv 2112.03227).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.calvin.tasks import CalvinTask

Info = Mapping[str, Any]
ROBOT = "robot"

_MOST_TILT = 30.0
"""Degrees about x and y that a turned block may tilt."""
_MOST_SHIFT = 0.1
"""Meters that a turned block may move."""
_MOST_SPEED = 1.0
"""Meters per second of a block that was stacked or unstacked."""

Touch = tuple[str, str]
"""A body, and its part where it has named ones: ``("table", "drawer_link")``, ``("robot", "")``."""


@dataclass(frozen=True, eq=False)
class BlockSnapshot:
    """One block at one time.

    Attributes:
        position: (3,) meters.
        orientation: (4,) quaternion, the real part last.
        speed: Meters per second.
        touches: What it touches.
    """

    position: NDArray[np.float64]
    orientation: NDArray[np.float64]
    speed: float
    touches: frozenset[Touch]

    @cached_property
    def bodies(self) -> frozenset[str]:
        """Bodies that it touches."""
        return frozenset(body for body, _ in self.touches)

    @property
    def surfaces(self) -> frozenset[Touch]:
        """What it touches but for the robot."""
        return frozenset(touch for touch in self.touches if touch[0] != ROBOT)


@dataclass(frozen=True, eq=False)
class SceneSnapshot:
    """Everything that success depends on, at one time.

    Attributes:
        blocks: By name, such as ``block_red``.
        doors: Joint positions in meters by name, such as ``base__slide``.
        lights: Whether they shine, 0 or 1, by name.
    """

    blocks: Mapping[str, BlockSnapshot]
    doors: Mapping[str, float]
    lights: Mapping[str, int]

    @classmethod
    def of(cls, info: Info) -> "SceneSnapshot":
        """Reads CALVIN's ``info``; contacts are PyBullet's, body and link at places 2 and 4.

        Raises:
            InputError: It is laid out in another way.
        """
        try:
            scene, names = info["scene_info"], _body_names(info)
            blocks = {name: _block(row, names) for name, row in scene["movable_objects"].items()}
            doors = {name: float(row["current_state"]) for name, row in scene["doors"].items()}
            lights = {name: int(row["logical_state"]) for name, row in scene["lights"].items()}
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise InputError(
                f"The environment's info is not laid out as CALVIN's ({type(error).__name__}: {error}). "
                "Remedy: use the calvin_env that the docs name."
            ) from error
        return cls(blocks, doors, lights)


_BodyNames = tuple[Mapping[int, str], Mapping[tuple[int, int], str]]


def _body_names(info: Info) -> _BodyNames:
    """Names of bodies by number, and of links by numbers of body and link."""
    scene = info["scene_info"]
    bodies = {info["robot_info"]["uid"]: ROBOT}
    links: dict[tuple[int, int], str] = {}
    for name, row in scene["movable_objects"].items():
        bodies[row["uid"]] = name
    for name, row in scene["fixed_objects"].items():
        bodies[row["uid"]] = name
        links |= {(row["uid"], link): part for part, link in row["links"].items()}
    return bodies, links


def _block(row: Mapping[str, Any], names: _BodyNames) -> BlockSnapshot:
    bodies, links = names
    touches = frozenset(
        (bodies.get(contact[2], str(contact[2])), links.get((contact[2], contact[4]), ""))
        for contact in row["contacts"]
    )
    position, orientation, velocity = (
        np.asarray(row[name], np.float64) for name in ("current_pos", "current_orn", "current_lin_vel")
    )
    return BlockSnapshot(position, orientation, float(np.linalg.norm(velocity)), touches)


def is_done(task: CalvinTask, start: SceneSnapshot, now: SceneSnapshot) -> bool:
    """Whether a task that was begun at ``start`` is done now."""
    kind, *arguments = task.success
    match kind:
        case "rotate_object":
            name, degrees = arguments
            return is_rotated(start.blocks[name], now.blocks[name], degrees)
        case "push_object":
            name, x, _ = arguments
            return is_pushed(start.blocks[name], now.blocks[name], x)
        case "move_door_rel":
            joint, distance = arguments
            return _beyond(now.doors[joint] - start.doors[joint], distance)
        case "lift_object":
            name, height, *surface = arguments
            return is_lifted(start.blocks[name], now.blocks[name], height, (surface[0], surface[1]))
        case "place_object":
            return is_placed(start, now, (arguments[0], arguments[1]))
        case "stack_objects":
            return is_stacked(start, now)
        case "unstack_objects":
            return is_unstacked(start, now)
        case "toggle_light":
            light, before, after = arguments
            return (start.lights[light], now.lights[light]) == (before, after)
        case "push_object_into":
            names, *ends = arguments
            source, target = (ends[0], ends[1]), (ends[2], ends[3])
            return any(_is_moved(start.blocks[name], now.blocks[name], source, target) for name in names)
    raise AssertionError(f"no test of success is called {kind}")


def tasks_done(tasks: Sequence[CalvinTask], start: Info, info: Info) -> set[str]:
    """Names of the tasks that are done, from two of the environment's ``info``.

    Raises:
        InputError: An info is laid out in another way.
    """
    before, now = SceneSnapshot.of(start), SceneSnapshot.of(info)
    return {task.name for task in tasks if is_done(task, before, now)}


def _beyond(value: float, threshold: float) -> bool:
    """Farther than a threshold, in its direction."""
    return value > threshold if threshold > 0 else value < threshold


def is_rotated(start: BlockSnapshot, now: BlockSnapshot, degrees: float) -> bool:
    """Turned about the vertical axis, not tilted, hardly moved, and lying on something."""
    from scipy.spatial.transform import Rotation  # noqa: PLC0415 - half a second, and listing pipelines comes by here

    turn = Rotation.from_quat(now.orientation) * Rotation.from_quat(start.orientation).inv()
    x, y, z = turn.as_euler("xyz", degrees=True)
    tilted = max(abs(x), abs(y)) >= _MOST_TILT
    moved = np.linalg.norm(now.position - start.position) > _MOST_SHIFT
    return bool(now.surfaces) and not tilted and not moved and _beyond(z, degrees)


def is_pushed(start: BlockSnapshot, now: BlockSnapshot, x: float) -> bool:
    """Moved along x by more than so many meters, lying on something before and after."""
    lay = bool(start.surfaces) and bool(now.surfaces)
    return lay and _beyond(float(now.position[0] - start.position[0]), x)


def is_lifted(start: BlockSnapshot, now: BlockSnapshot, height: float, surface: Touch) -> bool:
    """Higher than it lay on the surface, and held by the robot alone."""
    higher = float(now.position[2] - start.position[2]) > height
    return higher and now.bodies == {ROBOT} and surface in start.touches


def is_placed(start: SceneSnapshot, now: SceneSnapshot, surface: Touch) -> bool:
    """The one block that the robot held lies on the surface and is let go."""
    names = [name for name, block in start.blocks.items() if ROBOT in block.bodies]
    if len(names) != 1:
        return False
    block = now.blocks[names[0]]
    return ROBOT not in block.bodies and surface in block.touches


def is_stacked(start: SceneSnapshot, now: SceneSnapshot) -> bool:
    """A block that touched no other rests on another and on nothing else."""
    names = set(now.blocks)
    return any(
        not start.blocks[name].bodies & names and _rests_on_block(block, names)
        for name, block in now.blocks.items()
    )


def is_unstacked(start: SceneSnapshot, now: SceneSnapshot) -> bool:
    """A block that rested on another and on nothing else lies on something that is no block."""
    names = set(now.blocks)
    return any(
        _touches_blocks_alone(start.blocks[name], names)
        and not block.bodies & names
        and bool(block.surfaces)
        and block.speed < _MOST_SPEED
        for name, block in now.blocks.items()
    )


def _rests_on_block(block: BlockSnapshot, names: set[str]) -> bool:
    return len(block.bodies) == 1 and block.bodies <= names and block.speed < _MOST_SPEED


def _touches_blocks_alone(block: BlockSnapshot, names: set[str]) -> bool:
    return bool(block.bodies) and block.bodies <= names


def _is_moved(start: BlockSnapshot, now: BlockSnapshot, source: Touch, target: Touch) -> bool:
    """From one surface to the other, with the robot touching it neither before nor after."""
    free = ROBOT not in start.bodies and ROBOT not in now.bodies
    return free and source in start.touches and target in now.touches
