"""Recorded attempts as a LeRobotDataset, to be trained on or looked at with LeRobot's tools."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidrep_pipelines.data.sources.lerobot.lerobot_writing import LeRobotContent, write_lerobot_data_set
from vidrep_pipelines.evaluation.rollouts.recording import RecordedAttempt, load_attempts


@dataclass(frozen=True)
class RobotDescription:
    """What LeRobot is told of an environment.

    Attributes:
        robot: ``robot_type``.
        rate: Control steps per second.
        robot_numbers: How many of a state's numbers, from the first on, are the robot's; the others are
            the scene's. None: all.
        actions: Names of an action's numbers.
    """

    robot: str
    rate: int
    robot_numbers: int | None = None
    actions: Sequence[str] = ()


def lerobot_content(attempt: RecordedAttempt, robot_numbers: int | None = None) -> LeRobotContent:
    """An attempt in LeRobot's names: each action with what was seen before it.

    Args:
        attempt: Of N steps, which become N frames; what was seen after the last is left out.
        robot_numbers: See :class:`RobotDescription`; the scene's are ``observation.environment_state``.
    """
    steps, own = attempt.record.steps, attempt.states[:-1]
    last = (np.arange(steps) == steps - 1)[:, None]
    columns = {"observation.state": own[:, :robot_numbers], "action": attempt.actions}
    if robot_numbers is not None and own.shape[1] > robot_numbers:
        columns["observation.environment_state"] = own[:, robot_numbers:]
    columns |= {"next.done": last, "next.success": last & attempt.record.success}
    pictures = {f"observation.images.{name}": seen[:-1] for name, seen in attempt.pictures.items()}
    return LeRobotContent(attempt.record.instruction, pictures, columns)


def export_attempts(
    folder: Path, recordings: Iterable[Path], description: RobotDescription
) -> dict[str, int]:
    """Writes attempts as a LeRobotDataset of version 3.0, each as an episode; one that is there is replaced.

    Args:
        folder: Of the data set.
        recordings: Files of attempts, which are read one after the other.
        description: What LeRobot is told of the environment.

    Returns:
        Numbers of episodes, frames and tasks.

    Raises:
        InputError: A file is damaged, there is none, or the folder holds something else.
    """
    names: Mapping[str, Sequence[str]] = {"action": description.actions} if description.actions else {}
    contents = _contents(recordings, description.robot_numbers)
    return write_lerobot_data_set(folder, contents, description.rate, description.robot, names)


def _contents(recordings: Iterable[Path], robot_numbers: int | None) -> Iterator[LeRobotContent]:
    for path in recordings:
        for attempt in load_attempts(path):
            yield lerobot_content(attempt, robot_numbers)
