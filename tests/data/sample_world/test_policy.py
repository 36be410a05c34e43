import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.data.sample_world.config import ACTIVITY_NAMES, ActivityName
from vidrep_pipelines.data.sample_world.episode import run_episode
from vidrep_pipelines.data.sample_world.policy import (
    NO_PHASE,
    RandomPolicy,
    ScriptedPolicy,
    named_policy,
    phase_lengths,
)
from vidrep_pipelines.data.sample_world.scene import draw_scene


@given(st.integers(3, 5), st.integers(16, 300), st.integers(0, 10_000))
def test_phases_share_all_frames(phases: int, frames: int, seed: int) -> None:
    lengths = phase_lengths(phases, frames, seed)
    assert len(lengths) == phases
    assert lengths.sum() == frames
    assert lengths.min() >= 3


@pytest.mark.parametrize("activity", ACTIVITY_NAMES)
def test_the_script_does_what_it_is_asked(activity: ActivityName) -> None:
    best = []
    for seed in range(8):
        scene = draw_scene(activity, seed, 0)
        best.append(run_episode(scene, ScriptedPolicy(), 80, 24).rewards.max())
    assert np.mean(best) > 0.9


def test_noise_lowers_the_return() -> None:
    def final(noise: float) -> float:
        runs = [
            run_episode(draw_scene("stack", seed, 0), ScriptedPolicy(noise), 70, 24) for seed in range(10)
        ]
        return float(np.mean([run.rewards[-1] for run in runs]))

    assert final(0.6) < final(0.0) - 0.2


def test_paces_differ_between_episodes() -> None:
    assert len({tuple(phase_lengths(4, 80, seed).tolist()) for seed in range(10)}) == 10


def test_chance_has_no_phase_and_is_repeatable() -> None:
    scene = draw_scene("push", 1, 0)
    first, second = (run_episode(scene, RandomPolicy(), 30, 24) for _ in range(2))
    assert (first.phases == NO_PHASE).all()
    np.testing.assert_array_equal(first.actions, second.actions)
    assert np.abs(first.actions).mean() > 0.05


def test_policies_have_names() -> None:
    assert isinstance(named_policy("scripted", 0.1), ScriptedPolicy)
    assert isinstance(named_policy("random"), RandomPolicy)


def test_without_spread_phases_are_equally_long() -> None:
    assert phase_lengths(4, 24, 5, 0.0).tolist() == [6, 6, 6, 6]
    assert np.ptp(phase_lengths(4, 48, 5)) > 0
