"""Closed-form controllers of the DeepMind Control Suite: they see the exact state."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.data.sources.dm_control.demonstration_config import DmcTask

_LINK = 0.12
"""Length of both links of the reacher's arm, meters."""
_LARGEST_WRIST = np.deg2rad(155)
"""The reacher's wrist ends at 160 degrees."""

_CART_FEEDBACK = np.array([0.1, 3.0, 0.2, 0.8])
"""Of the cart's place, the pole's angle, and both velocities: 10 newtons are 1."""
_REACHER_STIFFNESS, _REACHER_DAMPING = 2.0, 0.2
_POINT_STIFFNESS, _POINT_DAMPING = 40.0, 10.0


def controller_action(task: DmcTask, observation: FloatArray) -> FloatArray:
    """What the controller of a task does, (A,) in -1..1.

    Args:
        task: Its name.
        observation: (S,) numbers of the suite's observation, in its order.
    """
    wanted = _CONTROLLERS[task](np.asarray(observation, np.float64))
    return np.clip(wanted, -1.0, 1.0)


def _balance_pole(observed: FloatArray) -> FloatArray:
    """Linear state feedback, (1,): towards the side to which the pole leans."""
    place, cosine, sine, velocity, turning = observed
    state = np.array([place, np.arctan2(sine, cosine), velocity, turning])
    return np.array([_CART_FEEDBACK @ state])


def _reach(observed: FloatArray) -> FloatArray:
    """Inverse kinematics of two links of equal length, and a spring to the angles, (2,)."""
    angles, to_target, velocities = observed[:2], observed[2:4], observed[4:]
    both = angles[0] + angles[1]
    finger = _LINK * np.array([np.cos(angles[0]) + np.cos(both), np.sin(angles[0]) + np.sin(both)])
    place = finger + to_target
    bend = np.arccos(np.clip(place @ place / (2 * _LINK**2) - 1, -1, 1))
    wrist = min(float(bend), _LARGEST_WRIST) * (1.0 if angles[1] >= 0 else -1.0)
    shoulder = np.arctan2(place[1], place[0]) - wrist / 2
    missing = np.array([_wrapped(shoulder - angles[0]), wrist - angles[1]])
    return _REACHER_STIFFNESS * missing - _REACHER_DAMPING * velocities


def _move_point(observed: FloatArray) -> FloatArray:
    """A spring to the middle, (2,)."""
    return -_POINT_STIFFNESS * observed[:2] - _POINT_DAMPING * observed[2:]


def _wrapped(angle: float) -> float:
    """The same angle in -pi..pi."""
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


_CONTROLLERS: Mapping[DmcTask, Callable[[FloatArray], FloatArray]] = MappingProxyType(
    {"cartpole-balance": _balance_pole, "reacher-easy": _reach, "point_mass-easy": _move_point}
)
