"""Exact tracks of points in clips of the sample world, and the clips in TAP-Vid's layout.

The arm's keypoints, and five points on every object: its middle, and four halfway to its corners. The world
is flat pieces in front of a pinhole camera, so where a point of a piece is seen follows from the state alone;
whether it is seen is what the mask says there.
"""

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import FloatArray, Pixels
from vidrep_pipelines.data.sample_world.body import Body
from vidrep_pipelines.data.sample_world.camera import Camera, CameraPath
from vidrep_pipelines.data.sample_world.clips import ClipRequest
from vidrep_pipelines.data.sample_world.episode import run_episode
from vidrep_pipelines.data.sample_world.geometry import upright
from vidrep_pipelines.data.sample_world.miniature import MiniatureClip
from vidrep_pipelines.data.sample_world.pieces import AGENT
from vidrep_pipelines.data.sample_world.policy import ScriptedPolicy
from vidrep_pipelines.data.sample_world.scene import draw_scene
from vidrep_pipelines.data.sample_world.truth import Truth, read_truth
from vidrep_pipelines.data.video.decode import read_frames

TAPVID_MINIATURE_FILE = "tapvid_davis.pkl"
TRACKING = 1
"""Version of what equal clips lead to: raised when the tracks change."""

_ON_BODY = np.array([(0.0, 0.0), (-0.5, 0.4), (0.5, 0.4), (-0.5, -0.4), (0.5, -0.4)])
"""Points of an object as shares of half its width and height; all are on the outline of every shape."""
_PIXEL_CENTER = 0.5


def point_tracks(request: ClipRequest, truth: Truth) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Where points of the arm and of the objects are in a clip of T frames.

    Args:
        request: The clip; its episode is run again, without pictures.
        truth: What was written when it was rendered.

    Returns:
        Points (N, T, 2), x and y as shares of width and height from the top left corner, and whether they are
        occluded (N, T). Points that are never seen are left out.
    """
    config, spec = request.config, request.spec
    keypoints = truth.keypoints.transpose(1, 0, 2)
    pixels = [keypoints[..., :2].astype(np.float64) + _PIXEL_CENTER]
    visible = [keypoints[..., 2] > 0]
    scene = draw_scene(spec.activity, spec.seed, config.distractors)
    policy = ScriptedPolicy(config.policy_noise)
    episode = run_episode(scene, policy, spec.frames, config.frames_per_second)
    path = CameraPath(scene.seed, config.width, config.height, scene.mirrored)
    cameras = [path.at(index / config.frames_per_second) for index in range(spec.frames)]
    for number, body in enumerate(scene.bodies):
        places = [_place(body, snapshot.places[number]) for snapshot in episode.snapshots]
        seen = np.stack(
            [_on_body(body, place, camera) for place, camera in zip(places, cameras, strict=True)], axis=1
        )
        pixels.append(seen)
        visible.append(_covers(truth.masks, seen, AGENT + 1 + number))
    points = np.concatenate(pixels) / (config.width, config.height)
    occluded = ~np.concatenate(visible)
    ever = ~occluded.all(axis=1)
    return points[ever], occluded[ever]


def write_tapvid_miniature(clips: Sequence[MiniatureClip], root: Path) -> None:
    """Writes clips with their tracks below ``root`` as TAP-Vid's DAVIS part is published."""
    videos = {}
    for clip in clips:
        truth = read_truth(clip.truth)
        points, occluded = point_tracks(clip.request, truth)
        frames = read_frames(clip.video, range(truth.frames))
        name = clip.id.rpartition("/")[2]
        videos[name] = {"video": frames, "points": points.astype(np.float32), "occluded": occluded}
    (root / TAPVID_MINIATURE_FILE).write_bytes(pickle.dumps(videos, protocol=4))


def _place(body: Body, place: FloatArray) -> FloatArray:
    """(3,) x, y and angle of an object; what the arm cannot reach stands where it stood."""
    return place if body.lane == 0.0 else np.array([body.x, body.half_height, 0.0])


def _on_body(body: Body, place: FloatArray, camera: Camera) -> FloatArray:
    """Pixels (5, 2) of an object's points, from the top left corner of the picture."""
    x, y, angle = place.tolist()
    front = body.lane - body.half_width if body.shape == "box" else body.lane
    corners = _ON_BODY * (body.half_width, body.half_height)
    return camera.project(upright(corners, x, y, front, angle))


def _covers(masks: Pixels, pixels: FloatArray, mask: int) -> NDArray[np.bool_]:
    """(N, T) whether the pixel that a point (N, T, 2) lies in belongs to an object."""
    frames, height, width = masks.shape
    columns, rows = np.floor(np.moveaxis(pixels, -1, 0)).astype(np.int64)
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    there = masks[np.arange(frames), rows.clip(0, height - 1), columns.clip(0, width - 1)]
    covers: NDArray[np.bool_] = inside & (there == mask)
    return covers
