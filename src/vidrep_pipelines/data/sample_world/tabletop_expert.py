"""How the arm does what it is told on the tabletop, and the exact test of whether it was done."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.data.sample_world.activities.base import DOWN, progress
from vidrep_pipelines.data.sample_world.arm import HandPose
from vidrep_pipelines.data.sample_world.body import Body
from vidrep_pipelines.data.sample_world.instructions import ActionName, Instruction
from vidrep_pipelines.data.sample_world.tabletop import Layout
from vidrep_pipelines.data.sample_world.world import Snapshot, World

_FIST = 0.075
_CLEAR = 0.6  # height at which the hand passes over everything
_LIFTED, _CARRIED = 0.62, 0.5
_EDGES = (-0.46, 0.8)  # where things are carried to, beyond all objects
_NEAR, _OUTWARD = 0.5, -1.2
"""How far the hand works from above, and its direction where the arm would be too short for that."""
_LONGEST_PUSH = 0.27
_IN_THE_AIR = 0.25
_STILL = 0.06
"""How far an object may be moved that was not named."""
_PHASES: dict[ActionName, tuple[str, ...]] = {
    "push": ("reach", "lower", "push", "retreat"),
    "carry": ("reach", "grasp", "carry", "place", "retreat"),
    "lift": ("reach", "grasp", "lift"),
    "put": ("reach", "grasp", "carry", "place", "retreat"),
}


@dataclass(frozen=True)
class TabletopTask:
    """An instruction in a layout, as an activity that ``ScriptedPolicy`` follows.

    Attributes:
        layout: What stands where.
        order: What is to be done.
        aim: How far beside its aim the hand first arrives, in the arm's units along the table; it corrects
            that on its way down.
    """

    layout: Layout
    order: Instruction
    aim: float = 0.0

    @property
    def phases(self) -> tuple[str, ...]:
        """The phases' names in their order."""
        return _PHASES[self.order.action]

    @property
    def bodies(self) -> tuple[Body, ...]:
        """All objects on the table."""
        return self.layout.bodies

    @property
    def target(self) -> int:
        """Index of the named object."""
        return self.layout.index(self.order.name)

    @property
    def box(self) -> int | None:
        """Index of the box that it is put on."""
        return None if self.order.box_color is None else self.layout.index(f"{self.order.box_color} box")

    def instruction(self, mirrored: bool) -> str:
        """The sentence; its sides are the viewer's already."""
        return self.order.text

    @property
    def _body(self) -> Body:
        return self.bodies[self.target]

    @property
    def _sign(self) -> float:
        """Direction of left and right along the unmirrored table."""
        return (1.0 if self.order.place == "right" else -1.0) * (-1.0 if self.layout.mirrored else 1.0)

    @property
    def goal(self) -> FloatArray:
        """(2,) where the named object's center should be in the end."""
        body = self._body
        if self.order.action == "push":
            return np.array([body.x + self._sign * self._way(), body.half_height])
        if self.order.action == "carry":
            return np.array([_EDGES[int(self._sign > 0)], body.half_height])
        if self.box is None:
            return np.array([body.x, _LIFTED])
        below = self.bodies[self.box]
        return np.array([below.x, 2 * below.half_height + body.half_height])

    def _way(self) -> float:
        """How far the object is pushed: less where another one is in the way."""
        return min(_LONGEST_PUSH, self._gap(self._sign) - 0.015)

    def _gap(self, sign: float) -> float:
        """Free table on one side of the named object."""
        body = self._body
        beside = [
            sign * (other.x - body.x) - other.half_width - body.half_width
            for other in self.bodies
            if sign * (other.x - body.x) > 0
        ]
        return min(beside, default=1.0)

    def path(self, world: World, phase: int) -> Sequence[HandPose]:
        """The hand's way through a phase that starts now."""
        if self.order.action == "push":
            return self._push_path(world, phase)
        name = self.phases[phase]
        x, y, _ = world.places[self.target].tolist()
        hold, grip = self._hold(), 0.03
        goal_x, goal_y = self.goal.tolist()
        angle = _OUTWARD if goal_x > _NEAR else DOWN
        if name == "reach":
            return [HandPose(x + self.aim, _CLEAR - 0.05, angle, 1.0)]
        if name == "grasp":
            lowered = HandPose(x, y + grip, angle, 1.0)
            return [HandPose(x, y + 0.2, angle, 1.0), lowered, lowered._replace(opening=hold)]
        if name == "lift":
            return [HandPose(x, goal_y + grip, angle, hold)]
        if name == "carry":
            heights = (0.9 * _CARRIED, _CARRIED, 0.95 * _CARRIED)
            shares = (0.05, 0.5, 1.0)
            end = goal_x + self.aim
            return [
                HandPose(x + share * (end - x), height + grip, angle, hold)
                for share, height in zip(shares, heights, strict=True)
            ]
        landed = HandPose(goal_x, goal_y + grip + 0.005, angle, hold)
        if name == "place":
            return [landed, landed, landed._replace(opening=1.0)]  # lies still before it is let go
        return [HandPose(goal_x, goal_y + 0.25, angle, 1.0), HandPose(0.0, 0.85, DOWN, 0.6)]

    def _hold(self) -> float:
        """The gripper's opening that holds the named object."""
        return (self._body.grip_width - 0.045) / 0.265 - 0.06

    def _push_path(self, world: World, phase: int) -> Sequence[HandPose]:
        body, sign = self._body, self._sign
        reach = body.half_width + _FIST
        x = float(world.places[self.target, 0])
        # Between two objects the hand comes down in the middle.
        room = min(0.05, max(0.0, (self._gap(-sign) - 2 * _FIST) / 2))
        side = x - sign * (reach + room)
        # A rolling ball goes on by itself, so the hand stops a little earlier.
        end = float(self.goal[0]) - sign * (reach + (0.35 * self._way() if body.shape == "ball" else 0.0))
        angle = DOWN if side < _NEAR else _OUTWARD
        height = max(0.1, 0.9 * body.half_height)
        if phase == 0:
            return [HandPose(side + self.aim, _CLEAR - 0.1, angle, 0.3)]
        if phase == 1:
            return [HandPose(side, 0.3, angle, 0.1), HandPose(side, height, angle, 0.0)]
        if phase == 2:
            return [HandPose(float(stop), height, angle, 0.0) for stop in np.linspace(side, end, 6)]
        return [HandPose(end - sign * 0.03, 0.4, angle, 0.1), HandPose(0.0, 0.85, DOWN, 0.4)]

    def reward(self, world: World) -> float:
        """How near the named object is to its goal."""
        start = np.array([self._body.x, self._body.half_height])
        distance = float(np.hypot(*(world.places[self.target, :2] - self.goal)))
        return progress(distance, float(np.hypot(*(start - self.goal))), tolerance=0.05)

    def succeeded(self, snapshots: Sequence[Snapshot]) -> bool:
        """Whether it was done, from the exact states at all frames of an episode.

        A push has moved the object at least half of its way without lifting it or passing another; a carried
        one was in the air and stands beyond all others; a lifted one is in the hand, clear of the table; one
        that was put on a box stands on it; and nothing else has moved. A wrong object, action or place is
        never a success.
        """
        last = snapshots[-1]
        places, held = last.places, last.held == self.target
        body = self._body
        x, y = float(places[self.target, 0]), float(places[self.target, 1])
        if not self._others_still(places) or held != (self.order.action == "lift"):
            return False
        if self.order.action == "lift":
            return y - body.half_height > _IN_THE_AIR
        if self.box is not None:
            aside = abs(x - float(places[self.box, 0]))
            return aside < self.bodies[self.box].half_width and abs(y - float(self.goal[1])) < 0.03
        highest = max(float(snapshot.places[self.target, 1]) for snapshot in snapshots) - body.half_height
        on_table = abs(y - body.half_height) < 0.02
        if self.order.action == "carry":
            return on_table and highest > 0.5 * _IN_THE_AIR and abs(x - float(self.goal[0])) < 0.09
        far_enough = self._sign * (x - body.x) > 0.5 * self._way()
        return on_table and highest < 0.05 and far_enough and self._stays_between(x)

    def _stays_between(self, x: float) -> bool:
        """Whether the object is still between its neighbors, where a pushed one must be."""
        order = [body.x if index != self.target else x for index, body in enumerate(self.bodies)]
        return order == sorted(order)

    def _others_still(self, places: FloatArray) -> bool:
        starts = np.array([(body.x, body.half_height) for body in self.bodies])
        moved = np.hypot(*(places[:, :2] - starts).T)
        return bool(np.delete(moved, self.target).max(initial=0.0) < _STILL)
