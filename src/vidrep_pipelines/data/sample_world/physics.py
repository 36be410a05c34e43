"""How free objects move: pushed by the fist, sliding, rolling, falling, resting, swinging."""

from collections.abc import Sequence

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.data.sample_world.body import Body

GRAVITY = 6.0
"""World units per second squared: a unit is a good hand's breadth more than half a meter."""
LEFT_END, RIGHT_END = -0.52, 1.3
"""Between the arm's base and the edge of the view."""
_FIST = 0.075  # radius of the closed hand
_ROLLING, _SLIDING = 2.2, 7.0  # decelerations
_BOUNCE = 0.3
_AIR = 0.25  # damping of a swing per second


class Motion:
    """Places and speeds (N, 3), x, y and angle, of all objects; those outside lane 0 stand still.

    A hanging object's angle is that of its string.
    """

    def __init__(self, bodies: Sequence[Body]) -> None:
        self._bodies = bodies
        self.places = np.array([[body.x, _rest_height(body), 0.0] for body in bodies]).reshape(-1, 3)
        self.speeds = np.zeros_like(self.places)

    def step(
        self, seconds: float, hand: FloatArray, hand_speed: FloatArray, fist: bool, held: int | None
    ) -> None:
        """Moves all objects on; ``held`` is left alone, and a closed hand (``fist``) pushes."""
        for index, body in enumerate(self._bodies):
            if body.lane != 0.0 or index == held:
                continue
            if body.string is not None:
                self._swing(index, body, body.string, seconds, hand, hand_speed)
                continue
            if fist:
                self._push(index, body, hand, hand_speed)
            self._fall(index, body, seconds, held)
            self._slide(index, body, seconds)
        self._separate(held)

    def swing_energy(self, index: int) -> float:
        """Height, in world units, to which a hanging object would swing if nothing stopped it."""
        string = self._bodies[index].string or 0.0
        _, _, angle = self.places[index]
        kinetic = 0.5 * (string * float(self.speeds[index, 2])) ** 2 / GRAVITY
        return kinetic + string * (1 - float(np.cos(angle)))

    def _push(self, index: int, body: Body, hand: FloatArray, hand_speed: FloatArray) -> None:
        place, speed = self.places[index], self.speeds[index]
        reach = body.half_width + _FIST
        if abs(place[1] - hand[1]) > body.half_height + 0.6 * _FIST or abs(place[0] - hand[0]) >= reach:
            return
        away = 1.0 if place[0] >= hand[0] else -1.0
        place[0] += np.clip(hand[0] + away * reach - place[0], -0.05, 0.05)
        if away * (hand_speed[0] - speed[0]) > 0:
            speed[0] = hand_speed[0]

    def _fall(self, index: int, body: Body, seconds: float, held: int | None) -> None:
        place, speed = self.places[index], self.speeds[index]
        support = self._support(index, body, held)
        if place[1] > support + 1e-4 or speed[1] > 0:
            speed[1] -= GRAVITY * seconds
            place[1] += speed[1] * seconds
        if place[1] <= support:
            place[1] = support
            speed[1] = -_BOUNCE * speed[1] if speed[1] < -0.5 else 0.0
        if body.shape != "ball":
            quarter = np.pi / 2 if body.shape == "box" else 2 * np.pi
            upright = np.round(place[2] / quarter) * quarter
            place[2] += (upright - place[2]) * min(1.0, 9 * seconds)

    def _support(self, index: int, body: Body, held: int | None) -> float:
        """Height of the center at which the table, or what is below, carries the object."""
        x, y, _ = self.places[index]
        height = body.half_height
        for other_index, other in enumerate(self._bodies):
            if other_index in (index, held) or other.lane != 0.0 or other.string is not None:
                continue
            other_x, other_y, _ = self.places[other_index]
            if other.shape == "bowl" and body.shape == "ball" and abs(x - other_x) < 0.75 * other.half_width:
                height = max(height, other_y - 0.35 * other.half_height + body.half_height)
            elif other.shape == "box" and abs(x - other_x) < 0.8 * other.half_width and y > other_y:
                height = max(height, other_y + other.half_height + body.half_height)
        return float(height)

    def _slide(self, index: int, body: Body, seconds: float) -> None:
        place, speed = self.places[index], self.speeds[index]
        if speed[1] == 0.0:
            drag = _ROLLING if body.shape == "ball" else _SLIDING
            speed[0] -= np.clip(speed[0], -drag * seconds, drag * seconds)
            if body.shape == "ball":
                place[2] -= speed[0] * seconds / body.half_width
        place[0] += speed[0] * seconds
        if not LEFT_END < place[0] < RIGHT_END:
            place[0] = np.clip(place[0], LEFT_END, RIGHT_END)
            speed[0] *= -_BOUNCE

    def _separate(self, held: int | None) -> None:
        """Keeps objects that stand beside one another from overlapping."""
        movable = [
            index
            for index, body in enumerate(self._bodies)
            if body.lane == 0.0 and body.string is None and index != held
        ]
        for position, first in enumerate(movable):
            for second in movable[position + 1 :]:
                self._part(first, second)

    def _part(self, first: int, second: int) -> None:
        one, other = self._bodies[first], self._bodies[second]
        apart = self.places[second] - self.places[first]
        beside = abs(apart[1]) < 0.5 * min(one.half_height, other.half_height)
        inside = {one.shape, other.shape} == {"ball", "bowl"} and abs(apart[0]) < 0.75 * max(
            one.half_width, other.half_width
        )
        overlap = one.half_width + other.half_width - abs(apart[0])
        if overlap <= 0 or not beside or inside:
            return
        away = 1.0 if apart[0] >= 0 else -1.0
        self.places[first, 0] -= away * overlap / 2
        self.places[second, 0] += away * overlap / 2
        shared = (self.speeds[first, 0] + self.speeds[second, 0]) / 2
        self.speeds[[first, second], 0] = shared

    def _swing(
        self, index: int, body: Body, string: float, seconds: float, hand: FloatArray, hand_speed: FloatArray
    ) -> None:
        place, speed = self.places[index], self.speeds[index]
        between = place[:2] - hand
        overlap = body.half_width + _FIST - float(np.hypot(*between))
        if overlap > 0:
            away = 1.0 if between[0] >= 0 else -1.0
            place[2] += away * overlap / string
            tangent = float(hand_speed @ (np.cos(place[2]), np.sin(place[2]))) / string
            if away * (tangent - speed[2]) > 0:
                speed[2] = tangent
        speed[2] -= (GRAVITY / string * np.sin(place[2]) + _AIR * speed[2]) * seconds
        place[2] = np.clip(place[2] + speed[2] * seconds, -1.2, 1.2)
        place[0] = body.x + string * np.sin(place[2])
        place[1] = body.height + string * (1 - np.cos(place[2]))


def _rest_height(body: Body) -> float:
    return body.half_height if body.string is None else body.height
