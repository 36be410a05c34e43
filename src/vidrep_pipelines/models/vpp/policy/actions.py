"""What a policy learns to output: commands, or how far they are from the robot's state, around -1..1.

Video Prediction Policy's rules for CALVIN, for its two-armed robot (``xbot``) and for an arm with a hand
(``xhand``, in three versions), and one for any other robot. Each goes both ways, so that a policy's output
becomes commands again. Shapes: a state (S,), the chunk's commands (A, D), what is learned (A, d).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.vpp.policy.units import Standard, Units, sized, with_positive_quaternion

XHAND_NUMBERS = 19
"""Position 3, quaternion x y z w 4, joints of the hand 12."""

ActionReference = Literal["absolute", "difference", "steps"]
"""From where actions are counted: as they are recorded; from the state, number by number; or from the
state's place and rotation (``xhand`` only)."""

_POSITION, _QUATERNION, _HAND = slice(0, 3), slice(3, 7), slice(7, XHAND_NUMBERS)
_ANGLES, _LEARNED_HAND = slice(3, 6), slice(6, XHAND_NUMBERS - 1)


@dataclass(frozen=True)
class ActionCoding:
    """How the commands of a chunk become what is learned, and how they come back.

    Attributes:
        reference: From where they are counted. ``difference`` subtracts quaternions, too: no rotation, but
            what the released checkpoints of ``xbot`` output.
        units: Of what is learned; none: commands are in -1..1 already, and outputs are cut off there.
        gripper: Whether the last number is a gripper that is -1 or 1, and nothing between (CALVIN).
    """

    reference: ActionReference = "absolute"
    units: Units | None = None
    gripper: bool = False

    def encode(self, commands: FloatArray, state: FloatArray) -> FloatArray:
        """What is learned.

        Args:
            commands: (A, D) as recorded, or the states that were reached.
            state: (S,) at the observation.

        Returns:
            (A, d) float64.

        Raises:
            InputError: They have another size than the coding is for, or are not finite.
        """
        moves = moves_from(self.reference, commands, state)
        if self.units is None:
            return moves
        return self.units.normalized(sized(moves, self.units.size))

    def decode(self, learned: FloatArray, state: FloatArray) -> FloatArray:
        """The commands that a policy's output stands for.

        Args:
            learned: (A, d).
            state: (S,) at the observation.

        Returns:
            (A, D) float64; the first number of a quaternion that was computed is not negative.

        Raises:
            InputError: They have another size than the coding is for, or are not finite.
        """
        learned = sized(learned, self.units.size if self.units else learned.shape[-1])
        moves = np.clip(learned, -1, 1) if self.units is None else self.units.restored(learned)
        commands = commands_from(self.reference, moves, state)
        if self.gripper:
            commands[:, -1] = np.where(commands[:, -1] > 0, 1.0, -1.0)
        return commands


def scaled_xhand_units(position: float = 10.0, rotation: float = 3.0, hand: float = 0.25) -> Standard:
    """``xhand`` version 1, relative: steps times published factors, not cut off.

    Args:
        position: Factor of ways in meters.
        rotation: Factor of angles in radians.
        hand: Factor of the hand's joints.
    """
    factors = np.repeat([position, rotation, hand], [3, 3, 12])
    return Standard(np.zeros(len(factors)), 1 / factors)


def moves_from(reference: ActionReference, commands: FloatArray, state: FloatArray) -> FloatArray:
    """Commands (A, D) as counted from a state (S,), in their own units: (A, d) float64.

    Version 1 of ``xhand``, absolute, is ``absolute``: quaternions of commands keep the sign with which they
    were recorded, as published, though that of the state is turned.

    Raises:
        InputError: Their sizes do not fit, they are not finite, or a rotation is none.
    """
    commands = sized(commands, commands.shape[-1])
    if reference == "absolute":
        return commands
    if reference == "difference":
        return commands - sized(state, commands.shape[-1])
    state, commands = sized(state, XHAND_NUMBERS), sized(commands, XHAND_NUMBERS)
    turned = _rotation(state[_QUATERNION]).inv() * _rotation(commands[:, _QUATERNION])
    way = commands[:, _POSITION] - state[_POSITION]
    return np.concatenate([way, turned.as_euler("xyz"), commands[:, _HAND]], axis=1)


def commands_from(reference: ActionReference, moves: FloatArray, state: FloatArray) -> FloatArray:
    """The inverse of :func:`moves_from`; quaternions with a first number that is not negative.

    Raises:
        InputError: Their sizes do not fit, they are not finite, or a rotation is none.
    """
    if reference == "absolute":
        return np.array(moves, np.float64)
    if reference == "difference":
        return moves + sized(state, moves.shape[-1])
    state, moves = sized(state, XHAND_NUMBERS), sized(moves, XHAND_NUMBERS - 1)
    turned = _rotation(state[_QUATERNION]) * Rotation.from_euler("xyz", moves[:, _ANGLES])
    parts = [moves[:, _POSITION] + state[_POSITION], turned.as_quat(), moves[:, _LEARNED_HAND]]
    return with_positive_quaternion(np.concatenate(parts, axis=1))


def _rotation(quaternions: FloatArray) -> Rotation:
    """Quaternions x y z w of any length above zero; Euler angles are about fixed axes."""
    try:
        return Rotation.from_quat(quaternions)
    except ValueError as error:
        raise InputError(f"A recorded rotation is none ({error}). Remedy: leave the episode out.") from error
