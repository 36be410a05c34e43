"""The quadrilaterals that make up the arm and the objects at one moment, in drawing order."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.data.sample_world import arm
from vidrep_pipelines.data.sample_world.arm_sprites import ArmSprites
from vidrep_pipelines.data.sample_world.body import Body
from vidrep_pipelines.data.sample_world.body_sprites import BodySprites
from vidrep_pipelines.data.sample_world.geometry import upright
from vidrep_pipelines.data.sample_world.sprite import Sprite
from vidrep_pipelines.data.sample_world.world import Snapshot

AGENT = 1
"""Id of the arm in masks; objects follow from 2."""


class Piece(NamedTuple):
    """A texture and where it is, corners (4, 3) in the world, with the ids of what it belongs to."""

    texture: Image.Image
    corners: FloatArray
    mask: int = 0
    part: int = 0


def placed(
    sprite: Sprite,
    at: FloatArray | tuple[float, float],
    z: float,
    angle: float = 0.0,
    mask: int = 0,
    part: int = 0,
) -> Piece:
    """A sprite standing parallel to the arm's plane, its origin at x, y."""
    return Piece(sprite.texture, upright(sprite.corners, float(at[0]), float(at[1]), z, angle), mask, part)


def shown_gap(bodies: tuple[Body, ...], snapshot: Snapshot) -> float:
    """How far apart the fingers are seen to be: no closer than what they hold is wide."""
    gap = arm.finger_gap(float(np.clip(snapshot.joints[3], 0, 1)))
    return gap if snapshot.held is None else max(gap, bodies[snapshot.held].grip_width)


def arm_pieces(sprites: ArmSprites, pose: arm.ArmPose, gap: float) -> Iterator[Piece]:
    """The arm, from the base to the fingers."""
    across = arm.direction(pose.hand_angle + np.pi / 2) * gap / 2
    palm = pose.wrist + arm.PALM * arm.direction(pose.hand_angle)
    yield placed(sprites.base, (arm.SHOULDER[0], 0.0), 0.02, 0.0, AGENT, 1)
    yield placed(sprites.forearm, pose.elbow, 0.0, pose.forearm_angle, AGENT, 3)
    yield placed(sprites.upper_arm, pose.shoulder, 0.0, pose.upper_angle, AGENT, 2)
    yield placed(sprites.outer_finger, (palm + across), 0.0, pose.hand_angle, AGENT, 5)
    yield placed(sprites.inner_finger, (palm - across), 0.0, pose.hand_angle, AGENT, 6)
    yield placed(sprites.hand, pose.wrist, 0.0, pose.hand_angle, AGENT, 4)


def behind_content(
    body: Body, sprites: BodySprites, place: FloatArray, fill: float, mask: int
) -> Iterator[Piece]:
    """The far inner side of a vessel and the surface of what is in it."""
    x, y, angle = place.tolist()
    if sprites.back is not None:
        yield placed(sprites.back, (x, y), body.lane, angle, mask)
    if sprites.content is not None and fill > 0.03 and abs(angle) < 1.2:
        level = (0.5 + 0.5 * fill, 1.0)
        sunk = sprites.content.corners * level - (0.0, (1 - fill) * 0.35 * body.half_height)
        yield Piece(sprites.content.texture, upright(sunk, x, y, body.lane, angle), mask)


def in_front(
    body: Body, sprites: BodySprites, place: FloatArray, camera: FloatArray, mask: int
) -> Iterator[Piece]:
    """An object's outer side; of a box, the faces that can be seen from ``camera`` (3,)."""
    x, y, angle = place.tolist()
    if body.shape == "box":
        yield from _box_sides(body, sprites, place, camera, mask)
        yield placed(sprites.front, (x, y), body.lane - body.half_width, angle, mask)
        return
    yield placed(sprites.front, (x, y), body.lane, angle, mask)
    if sprites.fixed is not None:
        yield placed(sprites.fixed, (x, y), body.lane, 0.0, mask)


def _box_sides(
    body: Body, sprites: BodySprites, place: FloatArray, camera: FloatArray, mask: int
) -> Iterator[Piece]:
    x, y, angle = place.tolist()
    half = np.array([[-1, 1], [1, 1], [1, -1], [-1, -1]]) * (body.half_width, body.half_height)
    back = upright(half, x, y, body.lane + body.half_width, angle)
    front = upright(half, x, y, body.lane - body.half_width, angle)
    for start, end in ((0, 1), (1, 2), (2, 3), (3, 0)):
        edge = front[end, :2] - front[start, :2]
        outward = np.array([-edge[1], edge[0]])
        if outward @ (camera[:2] - front[start, :2]) > 0:
            face = np.stack([back[start], back[end], front[end], front[start]])
            level = outward[1] / np.hypot(*outward)
            tone = 0 if level > 0.5 else 1 if level > -0.5 else 2
            yield Piece(sprites.sides[tone], face, mask)


def silhouette(body: Body) -> FloatArray:
    """The outline (N, 2) of an object around its center."""
    if body.shape == "ball":
        angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
        return body.half_width * np.column_stack([np.cos(angles), np.sin(angles)])
    foot = 1.0 if body.shape == "box" else 0.7
    return np.array([[-1, 1], [1, 1], [foot, -1], [-foot, -1]]) * (body.half_width, body.half_height)
