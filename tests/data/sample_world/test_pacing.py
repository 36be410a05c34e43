"""Activities whose pace varies: what is known of a clip still holds."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidrep_pipelines.data.sample_world import arm
from vidrep_pipelines.data.sample_world.clips import ClipRequest, clip_requests, clip_specs
from vidrep_pipelines.data.sample_world.config import PacingConfig, SampleWorldConfig
from vidrep_pipelines.data.sample_world.pacing import draw_timeline, run_paced_episode
from vidrep_pipelines.data.sample_world.scene import draw_scene

POUR = ("reach", "grasp", "carry", "pour", "return")
EAGER = PacingConfig(repeat_probability=1, skip_probability=1, cut_probability=1, most_pauses=4)


@given(st.integers(16, 200), st.integers(0, 10_000), st.sampled_from([PacingConfig(), EAGER]))
@settings(max_examples=40, deadline=None)
def test_a_timeline_fills_the_film(frames: int, seed: int, pacing: PacingConfig) -> None:
    timeline = draw_timeline(POUR, frames, seed, pacing)
    assert len(timeline.phases) == len(timeline.still) == frames
    assert min(movement.frames for movement in timeline.movements) >= 1
    moving = [movement for movement in timeline.movements if not movement.pauses]
    for before, after in pairwise(moving):
        # A step goes on where it was interrupted, or the next one begins.
        assert after.first == (before.last if before.last < 1 else 0.0)
    assert moving[0].first == 0.0 and moving[-1].last == 1.0
    assert timeline == draw_timeline(POUR, frames, seed, pacing)


def test_steps_are_repeated_and_skipped() -> None:
    repeated = PacingConfig(repeat_probability=1, skip_probability=0, cut_probability=0, most_pauses=0)
    skipped = PacingConfig(repeat_probability=0, skip_probability=1, cut_probability=0, most_pauses=0)
    for seed in range(5):
        steps = [movement.phase for movement in draw_timeline(POUR, 100, seed, repeated).movements]
        assert steps in ([0, 1, 2, 3, 2, 3, 4], [0, 1, 2, 3, 4, 3, 4])
        assert [m.phase for m in draw_timeline(POUR, 100, seed, skipped).movements] == [0, 1, 3, 4]


def test_films_begin_and_end_elsewhere() -> None:
    timelines = [draw_timeline(POUR, 100, seed, EAGER) for seed in range(20)]
    assert len({int(timeline.phases[0]) for timeline in timelines}) > 1
    assert len({int(timeline.phases[-1]) for timeline in timelines}) > 1


@pytest.mark.parametrize("seed", [0, 1])
def test_labels_follow_the_frames_and_the_arm_stands_still_in_a_pause(seed: int) -> None:
    pacing = PacingConfig(most_pauses=8, pause_share=(0.1, 0.1))
    timeline = draw_timeline(POUR, 80, seed, pacing)
    assert timeline.still.any()
    episode = run_paced_episode(draw_scene("pour", seed, 0), timeline, 24, noise=0.05)
    np.testing.assert_array_equal(episode.phases, timeline.phases)
    assert len(episode.snapshots) == len(episode.states) == len(episode.rewards) == 80
    still = np.flatnonzero(timeline.still[:-1])
    np.testing.assert_array_equal(episode.states[still], episode.states[still + 1])
    assert not episode.actions[still].any() and not episode.actions[-1].any()
    # The truth's promise, to the bit, across pauses and cuts.
    step = (arm.SPEED / np.float32(24)).astype(np.float32)
    after = np.clip(episode.states[:-1] + episode.actions[:-1] * step, arm.LOWEST, arm.HIGHEST)
    np.testing.assert_array_equal(after, episode.states[1:])


def test_without_pauses_cuts_and_repetitions_the_activity_is_done() -> None:
    pacing = PacingConfig(repeat_probability=0, skip_probability=0, cut_probability=0, spread=0.2)
    rewards = []
    for seed in range(4):
        timeline = draw_timeline(POUR, 100, seed, pacing)
        rewards.append(run_paced_episode(draw_scene("pour", seed, 0), timeline, 24).rewards.max())
    assert np.mean(rewards) > 0.8


def test_digests_of_worlds_without_pacing_stay_what_they_were() -> None:
    config = SampleWorldConfig(seed=2, clips=1, activities=("pour",))
    assert "pacing" not in config.model_dump() and "pacing" not in config.model_dump(mode="json")
    paced = config.model_copy(update={"pacing": PacingConfig()})
    (plain_request,) = clip_requests(config)
    assert SampleWorldConfig.model_validate(paced.model_dump()) == paced
    assert clip_specs(paced) == clip_specs(config)
    assert ClipRequest(paced, plain_request.spec).digest != plain_request.digest
