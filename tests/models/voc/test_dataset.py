import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.voc.tiny import STACK, make_config, make_episodes
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.voc.config import TargetConfig
from vidrep_pipelines.models.voc.dataset import OccupancySamples, bootstrapped_offset, geometric_offset

GAMMA = 0.7


@given(st.floats(0, 1, exclude_max=True), st.floats(0.05, 0.98))
def test_one_step_is_bootstrapped_exactly_below_gamma(uniform: float, gamma: float) -> None:
    assert bootstrapped_offset(uniform, gamma, 1) == (1, uniform < gamma)


def test_offsets_have_the_probabilities_of_the_mixture() -> None:
    uniforms = (np.arange(100_000) + 0.5) / 100_000
    offsets = np.array([geometric_offset(u, GAMMA) for u in uniforms])
    for offset in range(1, 6):
        assert np.mean(offsets == offset) == pytest.approx((1 - GAMMA) * GAMMA ** (offset - 1), abs=1e-4)
    drawn = [bootstrapped_offset(u, GAMMA, 3) for u in uniforms]
    for offset in (1, 2, 3):
        share = np.mean([found == (offset, False) for found in drawn])
        assert share == pytest.approx((1 - GAMMA) * GAMMA ** (offset - 1), abs=1e-4)
    assert np.mean([found == (3, True) for found in drawn]) == pytest.approx(GAMMA**3, abs=1e-4)


def test_every_step_of_every_episode_is_a_context() -> None:
    episodes = make_episodes()
    samples = OccupancySamples(episodes, make_config(), TargetConfig(gamma=GAMMA), 0)
    places = [samples.place(index) for index in range(len(samples))]
    assert places == [(n, t) for n, length in enumerate(episodes.lengths) for t in range(length)]
    for index, (episode, step) in enumerate(places):
        sample = samples[0, index]
        states = episodes.states_of(episode, STACK)
        np.testing.assert_array_equal(sample["context"], states[step])
        np.testing.assert_array_equal(sample["following"], states[step + 1])
        np.testing.assert_array_equal(sample["target"], states[step + 1])
        assert sample["reward"] == episodes.offsets[episode] + step + 1
    with pytest.raises(IndexError):
        samples.place(len(samples))


@pytest.mark.parametrize("target", [TargetConfig(kind="n_step", steps=4), TargetConfig(kind="geometric")])
def test_targets_stay_in_the_episode(target: TargetConfig) -> None:
    episodes = make_episodes((5, 3, 9))
    codes = np.repeat(np.arange(3, dtype=np.int16), np.diff(episodes.offsets))[:, None].repeat(2, 1)
    marked = make_episodes((5, 3, 9), codes=codes)  # every token says which episode it is from
    samples = OccupancySamples(marked, make_config(), target, 0)
    for epoch, index in itertools.product(range(20), range(len(samples))):
        sample = samples[epoch, index]
        assert len(set(sample["context"].tolist() + sample["target"].tolist())) == 1
        assert not (sample["bootstrap"] and target.kind == "geometric")


def test_geometric_targets_are_redrawn_with_their_context() -> None:
    """Contexts near the end of an episode are rarer, by just what lies beyond it."""
    episodes = make_episodes((4,), splits=("train",))
    samples = OccupancySamples(episodes, make_config(), TargetConfig(kind="geometric", gamma=GAMMA), 0)
    drawn = [samples[epoch, index]["reward"] for epoch in range(3000) for index in range(4)]
    left = 4 - np.arange(4)
    expected = (1 - GAMMA**left) / 4
    expected += expected * (1 - expected.sum()) / expected.sum()
    shares = [np.mean(np.array(drawn) == step + 1) for step in range(4)]
    np.testing.assert_allclose(shares, expected, atol=0.02)


def test_samples_follow_from_seed_epoch_and_index() -> None:
    target = TargetConfig(kind="n_step", steps=3)
    one, again, other = (OccupancySamples(make_episodes(), make_config(), target, seed) for seed in (0, 0, 1))
    keys = [(epoch, index) for epoch in range(3) for index in range(len(one))]
    for key in keys:
        assert one[key]["seed"] == again[key]["seed"] and one[key]["bootstrap"] == again[key]["bootstrap"]
        np.testing.assert_array_equal(one[key]["target"], again[key]["target"])
    assert any(one[key]["bootstrap"] != other[key]["bootstrap"] for key in keys)


def test_with_actions_bootstrapping_needs_one_more_step() -> None:
    episodes, config = make_episodes((4, 2)), make_config(actions=True)
    samples = OccupancySamples(episodes, config, TargetConfig(gamma=0.99), 0)
    assert len(samples) == 3 + 1
    for index in range(len(samples)):
        episode, step = samples.place(index)
        actions = episodes.actions[episodes.outcomes_of(episode)]
        sample = samples[0, index]
        np.testing.assert_array_equal(sample["action"], actions[step])
        np.testing.assert_array_equal(sample["target_action"], actions[step + 1])
    geometric = OccupancySamples(episodes, config, TargetConfig(kind="geometric"), 0)
    assert len(geometric) == 4 + 2 and "target_action" not in geometric[0, 0]
    with pytest.raises(ConfigurationError, match="too short"):
        OccupancySamples(make_episodes((1,), splits=("train",)), config, TargetConfig(), 0)


def test_tokens_and_model_must_match() -> None:
    config = make_config(actions=True)
    other_vocabulary = config.gpt.model_copy(update={"vocabulary": 12})
    other_actions = config.gpt.model_copy(update={"action_dimension": 7})
    assert config.reward is not None
    for changed, message in (
        ({"gpt": other_vocabulary}, r"model\.gpt\.vocabulary is 12, but the tokens have 11"),
        ({"gpt": other_actions}, r"model\.gpt\.action_dimension is 7, but the tokens have 2"),
        ({"grid": (2, 1)}, r"model\.grid is \(2, 1\)"),
        (
            {"reward": config.reward.model_copy(update={"codebook_dimension": 5})},
            r"codebook_dimension is 5, but the tokens have 3",
        ),
    ):
        with pytest.raises(ConfigurationError, match=message):
            OccupancySamples(make_episodes(), config.model_copy(update=changed), TargetConfig(), 0)
    with pytest.raises(ConfigurationError, match="without a codebook"):
        OccupancySamples(make_episodes(codebook=None), config, TargetConfig(), 0)
