"""States and actions of a RoboNet file, brought to one size for all robots."""

import h5py
import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import InputError

Numbers = NDArray[np.float32]


def read_controls(file: h5py.File, state_numbers: int, action_numbers: int) -> tuple[Numbers, Numbers]:
    """Reads states (x, y, z, wrist angle, gripper) and actions.

    Trajectories collected with the "autograsp" primitive were recorded without the action of the gripper. As
    in RoboNet's own loader it is filled in from what the gripper did next: the upper bound if it went beyond
    the middle of its range, else the lower bound.

    Args:
        file: An open trajectory.
        state_numbers: Columns of the states; others are cut off, missing ones are zero.
        action_numbers: Columns of the actions.

    Returns:
        (T, state_numbers) and (T', action_numbers) float32.

    Raises:
        InputError: One of these numbers is not finite.
    """
    states = file["env/state"][:].astype(np.float32)
    actions = file["policy/actions"][:].astype(np.float32)
    if actions.shape[1] == 3 and _is_autograsp(file):
        actions = np.concatenate([actions, _gripper_actions(file, states, len(actions))], axis=1)
    states, actions = _of_width(states, state_numbers), _of_width(actions, action_numbers)
    for what, rows in (("state", states), ("action", actions)):
        bad = ~np.isfinite(rows).all(axis=1)
        if bad.any():
            raise InputError(
                f"{file.filename}: the {what} of step {int(bad.argmax())} is not a finite number. Remedy: "
                "leave the trajectory out."
            )
    return states, actions


def _is_autograsp(file: h5py.File) -> bool:
    primitives = file["metadata"].attrs.get("primitives", "") if "metadata" in file else ""
    known = "low_bound" in file["env"] and "high_bound" in file["env"]
    return known and "autograsp" in str(primitives)


def _gripper_actions(file: h5py.File, states: Numbers, count: int) -> Numbers:
    """(count, 1); zero where no next state is known."""
    low, high = (float(file[f"env/{name}"][0, -1]) for name in ("low_bound", "high_bound"))
    after = states[1 : count + 1, -1:]
    actions = np.zeros((count, 1), np.float32)
    actions[: len(after)] = np.where(after > (low + high) / 2, high, low)
    return actions


def _of_width(rows: Numbers, width: int) -> Numbers:
    result = np.zeros((len(rows), width), np.float32)
    kept = rows[:, :width]
    result[:, : kept.shape[1]] = kept
    return result
