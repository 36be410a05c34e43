"""Tracks of the sample world say where its pixels are."""

import numpy as np
import pytest

from tests.helpers.label_sequences import tiny_clips
from vidrep_pipelines.data.sample_world.episode import render_episode, run_episode
from vidrep_pipelines.data.sample_world.pieces import AGENT
from vidrep_pipelines.data.sample_world.point_tracks import point_tracks
from vidrep_pipelines.data.sample_world.policy import ScriptedPolicy
from vidrep_pipelines.data.sample_world.scene import Scene, draw_scene
from vidrep_pipelines.data.sample_world.truth import Truth, read_truth

CLIPS = range(2)


def clip(number: int) -> tuple[Truth, Scene, np.ndarray, np.ndarray]:
    """Truth, scene, points (N, T, 2) in pixels from the top left corner, and whether they are occluded."""
    rendered = tiny_clips()[number]
    request, truth = rendered.request, read_truth(rendered.truth)
    points, occluded = point_tracks(request, truth)
    scene = draw_scene(request.spec.activity, request.spec.seed, request.config.distractors)
    return truth, scene, points * (request.config.width, request.config.height), occluded


@pytest.mark.parametrize("number", CLIPS)
def test_points_of_the_arm_are_its_keypoints(number: int) -> None:
    truth, _, points, occluded = clip(number)
    seen = [place for place in range(truth.keypoints.shape[1]) if truth.keypoints[:, place, 2].any()]
    for row, place in enumerate(seen):
        np.testing.assert_allclose(points[row], truth.keypoints[:, place, :2] + 0.5, atol=1e-5)
        np.testing.assert_array_equal(~occluded[row], truth.keypoints[:, place, 2] > 0)


@pytest.mark.parametrize("number", CLIPS)
def test_an_object_is_where_its_points_are(number: int) -> None:
    """The middle of a mask is not taken from the state, so that an error of projection or turning shows."""
    truth, scene, points, _ = clip(number)
    offsets = []
    for body in range(len(scene.bodies)):
        mask = truth.masks == AGENT + 1 + body
        largest = mask.sum(axis=(1, 2)).max()
        for frame in range(truth.frames):
            rows, columns = np.nonzero(mask[frame])
            if len(rows) < max(12, 0.9 * largest):
                continue  # covered, or too small to have a middle
            middle = np.array([columns.mean() + 0.5, rows.mean() + 0.5])
            extent = max(np.ptp(columns), np.ptp(rows)) + 1
            nearest = np.linalg.norm(points[:, frame] - middle, axis=-1).min()
            offsets.append(nearest / extent)
    assert len(offsets) > 10
    assert np.mean(offsets) < 0.15 and max(offsets) < 0.3


@pytest.mark.parametrize("number", CLIPS)
def test_what_is_visible_is_inside_the_picture(number: int) -> None:
    truth, _, points, occluded = clip(number)
    assert (~occluded).any(axis=1).all()
    assert occluded.any() and not occluded.all()
    height, width = truth.masks.shape[1:]
    seen = points[~occluded]
    assert (seen >= 0).all() and (seen[:, 0] < width).all() and (seen[:, 1] < height).all()
    columns, rows = np.floor(seen).astype(int).T
    frames = np.nonzero(~occluded)[1]
    assert (truth.masks[frames, rows, columns] >= AGENT).all()


def test_the_episode_that_is_run_again_is_the_one_that_was_rendered() -> None:
    rendered = tiny_clips()[0]
    request, truth = rendered.request, read_truth(rendered.truth)
    config, spec = request.config, request.spec
    scene = draw_scene(spec.activity, spec.seed, config.distractors)
    episode = run_episode(scene, ScriptedPolicy(config.policy_noise), spec.frames, config.frames_per_second)
    np.testing.assert_array_equal(episode.states, truth.states)
    first = next(render_episode(episode, config))
    np.testing.assert_array_equal(first.masks, truth.masks[0])
