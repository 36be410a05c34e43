import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.data.sample_world import arm


@given(st.floats(-0.1, 0.5), st.floats(0.12, 0.9), st.floats(-1.6, 0.0), st.floats(0, 1))
def test_inverse_undoes_forward_within_reach(x: float, y: float, angle: float, opening: float) -> None:
    joints = arm.inverse(arm.HandPose(x, y, angle, opening))
    pose = arm.forward(joints)
    inside = bool(np.all(joints[:3] > arm.LOWEST[:3]) and np.all(joints[:3] < arm.HIGHEST[:3]))
    if inside:
        np.testing.assert_allclose(pose.grip, [x, y], atol=0.03)
        assert abs(pose.hand_angle - angle) < 1e-5
    assert joints[3] == np.float32(opening)


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-7, 7))
def test_inverse_keeps_to_the_limits_everywhere(x: float, y: float, angle: float) -> None:
    joints = arm.inverse(arm.HandPose(x, y, angle, 0.5))
    assert np.all(joints >= arm.LOWEST) and np.all(joints <= arm.HIGHEST)


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_links_keep_their_length(angles: list[float]) -> None:
    pose = arm.forward(np.array([*angles, 0.5]))
    assert np.isclose(np.hypot(*(pose.elbow - pose.shoulder)), arm.UPPER_ARM)
    assert np.isclose(np.hypot(*(pose.wrist - pose.elbow)), arm.FOREARM)
    assert np.isclose(np.hypot(*(pose.grip - pose.wrist)), arm.REACH)


def test_keypoints_are_named_and_fingers_open() -> None:
    pose = arm.forward(np.array([1.0, -1.0, -0.5, 1.0]))
    wide, narrow = arm.keypoints(pose, arm.finger_gap(1.0)), arm.keypoints(pose, arm.finger_gap(0.0))
    assert len(wide) == len(arm.KEYPOINT_NAMES)
    outer, inner = (arm.KEYPOINT_NAMES.index(f"{name}_finger_tip") for name in ("outer", "inner"))
    assert np.hypot(*(wide[outer] - wide[inner])) > np.hypot(*(narrow[outer] - narrow[inner])) + 0.2
