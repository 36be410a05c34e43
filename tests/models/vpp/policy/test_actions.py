"""Codings of actions: the way back, CALVIN's gripper, and rotations against matrices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.vpp.policy.actions import (
    XHAND_NUMBERS,
    ActionCoding,
    ActionReference,
    commands_from,
    moves_from,
    scaled_xhand_units,
)
from vidrep_pipelines.models.vpp.policy.units import Bounds, Standard

Floats = NDArray[np.float64]
WIDE = Bounds(np.full(18, -4.0), np.full(18, 4.0))


def xhand(seed: int, rows: int) -> Floats:
    """Places within a meter, rotations of any kind, joints within 2."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(-1, 1, (rows, XHAND_NUMBERS))
    values[:, 3:7] = Rotation.random(rows, rng=rng).as_quat() * rng.choice([-1, 1], (rows, 1))
    values[:, 7:] *= 2
    return values


def same_commands(found: Floats, expected: Floats) -> None:
    """Equal, but for the sign of a quaternion, which is chosen."""
    others = [*range(3), *range(7, XHAND_NUMBERS)]
    assert_allclose(found[:, others], expected[:, others], atol=1e-6)
    turned = Rotation.from_quat(found[:, 3:7]) * Rotation.from_quat(expected[:, 3:7]).inv()
    assert turned.magnitude().max() < 1e-6
    assert (found[:, 3] >= 0).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_steps_of_the_hand_come_back(seed: int, rows: int) -> None:
    state, commands = xhand(seed, 1)[0], xhand(seed + 1, rows)
    for coding in (ActionCoding("steps", WIDE), ActionCoding("steps", scaled_xhand_units())):
        learned = coding.encode(commands, state)
        assert learned.shape == (rows, 18)
        same_commands(coding.decode(learned, state), commands)


@pytest.mark.parametrize("reference", ["absolute", "difference"])
@given(
    state=arrays(np.float64, 5, elements=st.floats(-1, 1)),
    commands=arrays(np.float64, (4, 5), elements=st.floats(-1, 1)),
)
def test_commands_of_any_robot_come_back(reference: ActionReference, state: Floats, commands: Floats) -> None:
    coding = ActionCoding(reference, Bounds(np.full(5, -2.0), np.full(5, 2.0)))
    learned = coding.encode(commands, state)
    assert (np.abs(learned) <= 1).all()
    assert_allclose(coding.decode(learned, state), commands, atol=1e-6)
    assert_allclose(
        commands_from(reference, moves_from(reference, commands, state), state), commands, atol=1e-9
    )


def test_the_turn_is_seen_from_the_robot() -> None:
    """R0^T R, as angles about fixed axes: a quarter turn about the hand's own x axis is pi / 2."""
    start = Rotation.from_euler("xyz", [0.3, -0.8, 2.0])
    end = start * Rotation.from_euler("x", np.pi / 2)
    state, command = np.zeros(19), np.zeros((1, 19))
    state[3:7], command[0, 3:7] = start.as_quat(), end.as_quat()
    assert_allclose(moves_from("steps", command, state)[0, 3:6], [np.pi / 2, 0, 0], atol=1e-9)


def test_calvin_stays_as_it_is_and_its_gripper_is_open_or_closed() -> None:
    coding, state = ActionCoding(gripper=True), np.zeros(15)
    commands = np.array([[0.1, -0.2, 0.3, 0, 0, 0, -1.0], [1, 1, -1, 0.5, 0, 0, 1.0]])
    assert_allclose(coding.encode(commands, state), commands)
    assert_allclose(coding.decode(commands, state), commands)
    outputs = np.array([[2.0, -3, 0, 0, 0, 0, 0.01], [0, 0, 0, 0, 0, 0, -0.4], [0, 0, 0, 0, 0, 0, 0.0]])
    decoded = coding.decode(outputs, state)
    assert decoded[0].tolist() == [1, -1, 0, 0, 0, 0, 1] and decoded[1:, -1].tolist() == [-1, -1]
    assert outputs[0, 0] == 2, "what a policy gave is not changed"


def test_what_is_outside_of_the_ranges_is_cut_off() -> None:
    coding = ActionCoding("absolute", Bounds(np.zeros(2), np.ones(2)))
    learned = coding.encode(np.array([[5.0, 0.5]]), np.zeros(2))
    assert_allclose(learned, [[1, 0]], atol=1e-7)
    assert_allclose(coding.decode(learned, np.zeros(2)), [[1, 0.5]], atol=1e-7)


def test_means_and_deviations_are_not_cut_off() -> None:
    coding = ActionCoding("absolute", Standard(np.zeros(2), np.full(2, 0.1)))
    assert_allclose(coding.encode(np.array([[5.0, -5.0]]), np.zeros(2)), [[50, -50]])


@pytest.mark.parametrize(
    ("reference", "commands", "state", "says"),
    [
        ("difference", np.zeros((2, 3)), np.zeros(4), "3 of each"),
        ("steps", np.zeros((2, 7)), np.zeros(7), "19 of each"),
        ("steps", np.zeros((2, 19)), np.zeros(19), "rotation is none"),
        ("absolute", np.full((2, 3), np.nan), np.zeros(3), "finite"),
    ],
)
def test_numbers_that_do_not_fit(
    reference: ActionReference, commands: Floats, state: Floats, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        moves_from(reference, commands, state)


def test_statistics_of_another_robot() -> None:
    with pytest.raises(InputError, match="3 of each"):
        ActionCoding("absolute", Bounds(np.zeros(3), np.ones(3))).encode(np.zeros((2, 4)), np.zeros(4))
