"""The ground truth of a clip and the file it is kept in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.hdf5 import create_hdf5, open_hdf5
from vidrep_pipelines.data.sample_world import arm
from vidrep_pipelines.data.sample_world.config import SampleWorldConfig
from vidrep_pipelines.data.sample_world.episode import ArmEpisode
from vidrep_pipelines.data.sample_world.world import ACTION_NAMES

_ARRAYS = ("masks", "parts", "keypoints", "phases", "actions", "states", "rewards")
_TEXTS = ("instruction", "activity")
_NAMES = ("phase_names", "part_names", "keypoint_names", "object_names", "action_names", "state_names")
_NUMBERS = ("frames_per_second", "seed")


@dataclass(frozen=True)
class Truth:
    """Everything that is known about a clip of T frames.

    Attributes:
        masks: (T, H, W) uint8: 0 background, 1 the arm, 2 and on the objects; names in ``object_names``.
        parts: (T, H, W) uint8: 0 not the arm, else index into ``part_names``.
        keypoints: (T, K, 3) float32: x and y, where integers are pixel centers, and 1 if visible, else 0.
        phases: (T,) int16: index into ``phase_names``; -1 where nobody follows a plan.
        actions: (T, A) float32 in -1..1: joint velocities and gripper, as a share of the largest, carried out
            between frames t and t + 1; zero at the last frame.
        states: (T, S) float32: the joints in radians and the gripper's opening in 0..1 at frame t. It holds
            ``states[t + 1] = clip(states[t] + actions[t] * arm.SPEED / frames_per_second, arm.LOWEST,
            arm.HIGHEST)`` in float32, to the bit.
        rewards: (T,) float32 in 0..1: how well the activity is done at frame t.
        instruction: What is asked for, such as "push the red ball to the left".
        activity: The clip's class.
        phase_names: Names in the order of the phases.
        part_names: Names by part id, the first is "background".
        keypoint_names: K names.
        object_names: Names by mask id, the first are "background" and "arm".
        action_names: A names.
        state_names: S names.
        frames_per_second: Rate of video and control.
        seed: The episode's.
    """

    masks: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    keypoints: NDArray[np.float32]
    phases: NDArray[np.int16]
    actions: NDArray[np.float32]
    states: NDArray[np.float32]
    rewards: NDArray[np.float32]
    instruction: str
    activity: str
    phase_names: tuple[str, ...]
    part_names: tuple[str, ...]
    keypoint_names: tuple[str, ...]
    object_names: tuple[str, ...]
    action_names: tuple[str, ...]
    state_names: tuple[str, ...]
    frames_per_second: int
    seed: int

    @property
    def frames(self) -> int:
        """Number of frames T."""
        return len(self.states)


def truth_of(
    episode: ArmEpisode,
    activity: str,
    config: SampleWorldConfig,
    masks: NDArray[np.uint8],
    parts: NDArray[np.uint8],
    keypoints: NDArray[np.float32],
) -> Truth:
    """Puts together the truth of an episode and of its rendered frames."""
    scene = episode.scene
    return Truth(
        masks=masks,
        parts=parts,
        keypoints=keypoints,
        phases=episode.phases,
        actions=episode.actions,
        states=episode.states,
        rewards=episode.rewards,
        instruction=scene.instruction,
        activity=activity,
        phase_names=scene.activity.phases,
        part_names=arm.PART_NAMES,
        keypoint_names=arm.KEYPOINT_NAMES,
        object_names=("background", "arm", *(body.name for body in scene.bodies)),
        action_names=ACTION_NAMES,
        state_names=arm.JOINT_NAMES,
        frames_per_second=config.frames_per_second,
        seed=scene.seed,
    )


def write_truth(path: Path, truth: Truth) -> None:
    """Writes a truth file: one HDF5 dataset per array, everything else as attributes.

    Label maps are compressed frame by frame, so that one frame is read without the others.
    """
    with create_hdf5(path) as file:
        for name in _ARRAYS:
            array = getattr(truth, name)
            if array.ndim == 3 and array.dtype == np.uint8:
                file.create_dataset(
                    name, data=array, chunks=(1, *array.shape[1:]), compression="gzip", compression_opts=1
                )
            else:
                file.create_dataset(name, data=array, compression="gzip")
        for name in _TEXTS + _NUMBERS:
            file.attrs[name] = getattr(truth, name)
        for name in _NAMES:
            file.attrs[name] = list(getattr(truth, name))


def read_truth(path: Path) -> Truth:
    """Reads a truth file.

    Raises:
        InputError: The file is not one, is damaged or is missing.
    """
    try:
        with open_hdf5(path) as file:
            fields: dict[str, Any] = {name: file[name][...] for name in _ARRAYS}
            fields |= {name: str(file.attrs[name]) for name in _TEXTS}
            fields |= {name: tuple(str(item) for item in file.attrs[name]) for name in _NAMES}
            fields |= {name: int(file.attrs[name]) for name in _NUMBERS}
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{path}: not a readable truth file of the sample world ({error}); delete it and render again"
        ) from error
    return Truth(**fields)
