"""A look at the simulator before a long run: renderer, pictures, resets, speed, and replayed actions."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.calvin.initial_scene import initial_observations
from vidrep_pipelines.evaluation.calvin.recordings import CalvinRecordings
from vidrep_pipelines.evaluation.calvin.sequences import initial_states
from vidrep_pipelines.evaluation.calvin.world import (
    CALVIN_CAMERAS,
    CalvinEnvironment,
    CalvinWorld,
    CalvinWorldMaker,
)
from vidrep_pipelines.evaluation.rollouts.replay import require_replay

_MOST_ROBOT_ERROR, _MOST_SCENE_ERROR = 1e-3, 1e-2
"""How far numbers of hand and scene may be from those that were asked for after a reset."""
_STEPS, _PICTURES, _SCENES = 10, 3, 3


@dataclass(frozen=True)
class CalvinFacts:
    """What was found.

    Attributes:
        renderer: What makes the pictures.
        devices: Where policies can be computed.
        pictures: Height and width of each camera's.
        robot_error: Largest difference of the hand's position after a reset, in meters.
        scene_error: Largest difference of the scene's numbers after a reset.
        step_milliseconds: A control step without pictures.
        picture_milliseconds: The pictures of all cameras.
        replayed: Recorded episodes that were replayed; 0 if there were none.
        succeeded: Those that succeeded.
    """

    renderer: str
    devices: tuple[str, ...]
    pictures: Mapping[str, tuple[int, int]]
    robot_error: float
    scene_error: float
    step_milliseconds: float
    picture_milliseconds: float
    replayed: int
    succeeded: int


def check_world(
    maker: CalvinWorldMaker, recordings: CalvinRecordings | None, least: float = 1.0
) -> CalvinFacts:
    """Builds a world, looks at it, and replays recorded actions in another.

    Args:
        maker: Makes worlds.
        recordings: What is replayed; None where there is nothing, which the facts say.
        least: Share of the replays that must succeed.

    Raises:
        ConfigurationError: The world cannot be had, renders by something else than it was asked to, shows
            nothing, is not reset to where it is asked to, or recorded actions fail in it.
    """
    world = maker.make()
    try:
        if world.renderer != maker.renderer:
            raise ConfigurationError(f"{maker.renderer} was asked for, and {world.renderer} renders.")
        robot_error, scene_error = _reset_errors(world)
        shown = _pictures(world)
        step_time = _milliseconds(lambda: world.step(np.zeros(7)), _STEPS)
        picture_time = _milliseconds(lambda: world.get_obs(pictures=True), _PICTURES)
    finally:
        world.close()
    records = []
    if recordings is not None:
        scenes = recordings.scene_of
        records = require_replay(lambda: CalvinEnvironment(maker.make(), scenes), recordings.episodes, least)
    return CalvinFacts(
        renderer=maker.renderer,
        devices=compute_devices(),
        pictures=shown,
        robot_error=robot_error,
        scene_error=scene_error,
        step_milliseconds=step_time,
        picture_milliseconds=picture_time,
        replayed=len(records),
        succeeded=sum(record.success for record in records),
    )


def compute_devices() -> tuple[str, ...]:
    """Where policies can be computed: GPUs by name, or the processor."""
    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return tuple(names) or ("cpu",)


def _reset_errors(world: CalvinWorld) -> tuple[float, float]:
    """Of the first, a middle and the last initial state, which is left in place."""
    states = initial_states()
    errors = []
    for place in np.linspace(0, len(states) - 1, _SCENES).round().astype(int).tolist():
        robot, scene = initial_observations(states[place])
        world.reset(robot, scene)
        seen = world.get_obs(pictures=False)
        hand = np.abs(seen["robot_obs"][:3] - robot[:3]).max()
        errors.append((float(hand), _scene_error(seen["scene_obs"], scene)))
    robot_error, scene_error = (max(column) for column in zip(*errors, strict=True))
    if robot_error > _MOST_ROBOT_ERROR or scene_error > _MOST_SCENE_ERROR:
        raise ConfigurationError(
            f"After a reset the hand is {robot_error:.2g} m and the scene up to {scene_error:.2g} from where "
            "they should be. Remedy: use the scene and the version of calvin_env that docs/calvin.md names."
        )
    return robot_error, scene_error


def _scene_error(seen: Any, asked: Any) -> float:
    """Largest difference, but for the button, which springs back, and for angles, which may turn round."""
    counted = [0, 1, 3, 4, 5, *(start + axis for start in (6, 12, 18) for axis in range(3))]
    return float(np.abs(seen[counted] - asked[counted]).max())


def _pictures(world: CalvinWorld) -> dict[str, tuple[int, int]]:
    seen = world.get_obs(pictures=True)
    for camera in CALVIN_CAMERAS:
        if np.ptp(seen[camera]) == 0:
            raise ConfigurationError(
                f"The pictures of {camera} by {world.renderer} are of one color. "
                "Remedy: try the other renderer."
            )
    return {camera: (seen[camera].shape[0], seen[camera].shape[1]) for camera in CALVIN_CAMERAS}


def _milliseconds(work: Callable[[], object], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        work()
    return 1000 * (time.perf_counter() - start) / times
