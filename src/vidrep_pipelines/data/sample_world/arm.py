"""Kinematics of the arm: shoulder, elbow, wrist and a gripper, in the plane z = 0."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import FloatArray

JOINT_NAMES = ("shoulder", "elbow", "wrist", "gripper")
PART_NAMES = ("background", "base", "upper_arm", "forearm", "hand", "outer_finger", "inner_finger")
KEYPOINT_NAMES = (
    "base",
    "shoulder",
    "upper_arm_middle",
    "elbow",
    "forearm_middle",
    "wrist",
    "palm",
    "outer_finger_root",
    "outer_finger_tip",
    "inner_finger_root",
    "inner_finger_tip",
)
SHOULDER = (-0.92, 0.36)
UPPER_ARM, FOREARM, PALM, FINGER = 0.92, 0.80, 0.17, 0.19
REACH = PALM + 0.6 * FINGER
"""Distance from the wrist to the point between the fingertips where things are held."""
LOWEST = np.array([-0.2, -2.75, -2.5, 0.0], np.float32)
HIGHEST = np.array([3.0, 0.0, 2.5, 1.0], np.float32)
SPEED = np.array([5.0, 6.0, 8.0, 5.0], np.float32)
"""Largest joint speeds: radians per second, and openings per second for the gripper."""
_CLOSED_GAP, _OPEN_GAP = 0.045, 0.31


class HandPose(NamedTuple):
    """Where the hand is: the grip point (x, y), its direction in radians and the opening in 0..1."""

    x: float
    y: float
    angle: float
    opening: float


class ArmPose(NamedTuple):
    """Joint positions (2,) and the directions in radians of the three links."""

    shoulder: FloatArray
    elbow: FloatArray
    wrist: FloatArray
    grip: FloatArray
    upper_angle: float
    forearm_angle: float
    hand_angle: float


def direction(angle: float) -> FloatArray:
    """The unit vector at ``angle``."""
    return np.array([np.cos(angle), np.sin(angle)])


def forward(joints: FloatArray | NDArray[np.float32]) -> ArmPose:
    """The pose that joint angles (4,) lead to."""
    upper_angle = float(joints[0])
    forearm_angle = upper_angle + float(joints[1])
    hand_angle = forearm_angle + float(joints[2])
    shoulder = np.array(SHOULDER)
    elbow = shoulder + UPPER_ARM * direction(upper_angle)
    wrist = elbow + FOREARM * direction(forearm_angle)
    grip = wrist + REACH * direction(hand_angle)
    return ArmPose(shoulder, elbow, wrist, grip, upper_angle, forearm_angle, hand_angle)


def inverse(hand: HandPose) -> NDArray[np.float32]:
    """The joints (4,) that bring the hand to a pose, elbow up, as near as limits and reach allow."""
    wrist = np.array([hand.x, hand.y]) - REACH * direction(hand.angle) - SHOULDER
    distance = float(np.clip(np.hypot(*wrist), abs(UPPER_ARM - FOREARM) + 0.05, UPPER_ARM + FOREARM - 0.005))
    cosine = (distance**2 - UPPER_ARM**2 - FOREARM**2) / (2 * UPPER_ARM * FOREARM)
    elbow = -float(np.arccos(np.clip(cosine, -1, 1)))
    lead = np.arctan2(-FOREARM * np.sin(elbow), UPPER_ARM + FOREARM * np.cos(elbow))
    shoulder = float(np.arctan2(wrist[1], wrist[0]) + lead)
    joints = np.array([shoulder, elbow, hand.angle - shoulder - elbow, hand.opening])
    return np.clip(joints.astype(np.float32), LOWEST, HIGHEST)


def finger_gap(opening: float) -> float:
    """Distance between the fingers' inner sides."""
    return _CLOSED_GAP + (_OPEN_GAP - _CLOSED_GAP) * opening


def keypoints(pose: ArmPose, gap: float) -> FloatArray:
    """The named keypoints (K, 2) of a pose whose fingers are ``gap`` apart."""
    along, across = direction(pose.hand_angle), direction(pose.hand_angle + np.pi / 2)
    palm = pose.wrist + PALM * along
    side = (gap / 2 + 0.025) * across
    return np.stack(
        [
            pose.shoulder * (1, 0.45),
            pose.shoulder,
            (pose.shoulder + pose.elbow) / 2,
            pose.elbow,
            (pose.elbow + pose.wrist) / 2,
            pose.wrist,
            pose.wrist + 0.6 * PALM * along,
            palm + side,
            palm + side + FINGER * 0.9 * along,
            palm - side,
            palm - side + FINGER * 0.9 * along,
        ]
    )
