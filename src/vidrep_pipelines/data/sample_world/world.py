"""The state of the world, and what an action does to it.

Deliberately simple physics in the arm's plane, deterministic to the bit: joints follow the action exactly,
and the objects are pushed, gripped, dropped, swung and poured from.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sample_world import arm
from vidrep_pipelines.data.sample_world.body import Body
from vidrep_pipelines.data.sample_world.geometry import rotation
from vidrep_pipelines.data.sample_world.physics import GRAVITY, Motion

ACTION_NAMES = tuple(f"{joint}_velocity" for joint in arm.JOINT_NAMES)
_STEPS = 4  # physics steps per frame: a fast hand must not jump through a ball
_FIST_GAP = 0.1  # fingers closer than this, with nothing between them, make a fist
_FLOW = 2.5  # contents of a cup per second at full tilt
_DROPS = 48  # in a full cup
_TILT = 1.05  # radians from which a cup pours


@dataclass(frozen=True)
class Snapshot:
    """What there is to see at one moment.

    Attributes:
        joints: (4,) shoulder, elbow, wrist in radians, opening in 0..1.
        places: (N, 3) x, y and angle of each object.
        fills: (N,) how full each vessel is, 0..1.
        drops: (P, 4) x, y and velocity of what is being poured.
        held: Index of the object in the hand, or None.
    """

    joints: FloatArray
    places: FloatArray
    fills: FloatArray
    drops: FloatArray
    held: int | None

    def moved(self, before: "Snapshot", frames: float, seconds: float) -> "Snapshot":
        """Everything moved on by ``frames`` at the speed since ``before``, and drops by ``seconds``."""
        drops = self.drops.copy()
        drops[:, :2] += self.drops[:, 2:] * seconds
        return Snapshot(
            self.joints + frames * (self.joints - before.joints),
            self.places + frames * (self.places - before.places),
            self.fills,
            drops,
            self.held,
        )


class World:
    """An arm and objects.

    Args:
        bodies: The objects.
        start: (4,) joints at the beginning.
        frames_per_second: How often an action is taken.
    """

    def __init__(self, bodies: Sequence[Body], start: NDArray[np.float32], frames_per_second: int) -> None:
        self.bodies = tuple(bodies)
        self.joints = start.astype(np.float32)
        self.joint_step = (arm.SPEED / np.float32(frames_per_second)).astype(np.float32)
        """(4,) what an action of 1 adds to each joint in one frame."""
        self.motion = Motion(self.bodies)
        self.fills = np.array([float(body.filled) for body in bodies])
        self.drops: FloatArray = np.zeros((0, 4))
        self.held: int | None = None
        self.hand_speed = 0.0
        self.poured = 0.0
        """Share of a full cup that has arrived in a bowl."""
        self._offset: FloatArray = np.zeros(3)
        self._seconds = 1.0 / frames_per_second
        self._unreleased = 0.0
        self._released = 0

    @property
    def pose(self) -> arm.ArmPose:
        """The arm's pose."""
        return arm.forward(self.joints)

    @property
    def places(self) -> FloatArray:
        """(N, 3) x, y and angle of each object."""
        return self.motion.places

    def snapshot(self) -> Snapshot:
        """A copy of what there is to see."""
        joints = self.joints.astype(np.float64)
        return Snapshot(joints, self.places.copy(), self.fills.copy(), self.drops.copy(), self.held)

    def step(self, action: NDArray[np.floating]) -> NDArray[np.float32]:
        """Moves the world on by one frame.

        Args:
            action: (4,) velocity of each joint as a share of its largest, in -1..1 (clipped).

        Returns:
            The action that was carried out (4,): the given one, less where the arm met the table. It obeys
            ``joints = clip(joints + action * joint_step, LOWEST, HIGHEST)`` in float32, exactly.

        Raises:
            InputError: The action is not four finite numbers.
        """
        wanted = np.asarray(action, dtype=np.float32)
        if wanted.shape != (4,) or not np.isfinite(wanted).all():
            raise InputError(f"sample world: an action is four finite numbers, got {action!r}")
        executed, joints = self._allowed(np.clip(wanted, -1, 1))
        before, start = self.pose.grip, self.joints
        for step in range(1, _STEPS + 1):
            self._advance(start + (joints - start) * np.float32(step / _STEPS), self._seconds / _STEPS)
        self.joints = joints
        self.hand_speed = float(np.hypot(*(self.pose.grip - before))) / self._seconds
        self._grip_or_release(closing=bool(joints[3] < start[3]))
        return executed

    def _allowed(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The largest part of the action that keeps the arm above the table, and the joints after it."""
        for share in (1.0, 0.5, 0.0):
            executed = action * np.array([share, share, share, 1], np.float32)
            joints = np.clip(self.joints + executed * self.joint_step, arm.LOWEST, arm.HIGHEST)
            pose = arm.forward(joints)
            tip = pose.wrist + (arm.PALM + arm.FINGER) * arm.direction(pose.hand_angle)
            if share == 0.0 or (tip[1] > 0.02 and pose.wrist[1] > 0.09 and pose.elbow[1] > 0.12):
                break
        return executed, joints

    def _advance(self, joints: NDArray[np.float32], seconds: float) -> None:
        previous = self.pose.grip
        self.joints = joints.astype(np.float32)
        pose = self.pose
        if self.held is not None:
            self._carry(pose, seconds)
        fist = arm.finger_gap(float(joints[3])) < _FIST_GAP and self.held is None
        self.motion.step(seconds, pose.grip, (pose.grip - previous) / seconds, fist, self.held)
        self._pour(seconds)

    def _carry(self, pose: arm.ArmPose, seconds: float) -> None:
        assert self.held is not None
        place = np.append(pose.grip + rotation(pose.hand_angle) @ self._offset[:2], 0.0)
        place[2] = pose.hand_angle + self._offset[2]
        body = self.bodies[self.held]
        place[1] = max(place[1], body.half_height)
        self.motion.speeds[self.held] = (place - self.places[self.held]) / seconds
        self.motion.places[self.held] = place

    def _grip_or_release(self, closing: bool) -> None:
        gap, pose = arm.finger_gap(float(self.joints[3])), self.pose
        if self.held is not None:
            if gap > self.bodies[self.held].grip_width + 0.02 and not closing:
                self.held = None
            return
        for index, body in enumerate(self.bodies):
            distance = self.places[index, :2] - pose.grip
            near = np.hypot(*distance) < 0.75 * body.half_width + 0.03
            if body.graspable and closing and near and gap <= body.grip_width + 0.02:
                self.held = index
                offset = rotation(-pose.hand_angle) @ distance
                self._offset = np.append(offset, self.places[index, 2] - pose.hand_angle)
                return

    def _pour(self, seconds: float) -> None:
        for index, body in enumerate(self.bodies):
            excess = abs(self.places[index, 2]) - _TILT
            if body.shape == "cup" and excess > 0 and self.fills[index] > 0:
                amount = min(_FLOW * seconds * min(1.0, 0.2 + excess / 0.5), float(self.fills[index]))
                self.fills[index] -= amount
                self._unreleased += amount * _DROPS
                while self._unreleased >= 1:
                    self._unreleased -= 1
                    self._release(body, self.places[index])
        self.drops[:, 3] -= GRAVITY * seconds
        self.drops[:, :2] += self.drops[:, 2:] * seconds
        self._catch()

    def _release(self, body: Body, place: FloatArray) -> None:
        """One drop over the lower lip, scattered by its number rather than by a generator."""
        side = -np.sign(place[2])
        lip = place[:2] + rotation(place[2]) @ (side * body.half_width * 0.8, body.half_height)
        self._released += 1
        scatter = np.sin(self._released * np.array([12.9898, 78.233]))
        drop = [*(lip + 0.012 * scatter), side * (0.25 + 0.06 * scatter[1]), -0.3 + 0.1 * scatter[0]]
        self.drops = np.vstack([self.drops, drop])

    def _catch(self) -> None:
        gone = self.drops[:, 1] < 0.01
        for index, body in enumerate(self.bodies):
            if body.shape == "bowl" and body.lane == 0.0:
                x, y = self.places[index, :2]
                within = (np.abs(self.drops[:, 0] - x) < 0.95 * body.half_width) & ~gone
                caught = within & (self.drops[:, 1] < y + 0.3 * body.half_height)
                share = float(caught.sum()) / _DROPS
                self.fills[index] = min(1.0, self.fills[index] + share)
                self.poured = min(1.0, self.poured + share)
                gone |= caught
        self.drops = self.drops[~gone]
