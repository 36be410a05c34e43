import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.occupancy.state_episode import (
    StateEpisode,
    choose_contexts,
    discounted_returns,
    sufficient_horizon,
    truncated_returns,
)


def episode(length: int, name: str = "one", actions: bool = False) -> StateEpisode:
    states = np.arange(length + 1)[:, None].repeat(2, 1)
    taken = np.arange(length, dtype=np.float64)[:, None] if actions else None
    return StateEpisode(name, states, np.arange(1, length + 1, dtype=np.float64), taken)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=12), st.floats(0.1, 0.99), st.integers(1, 15))
def test_returns_are_the_sums_they_stand_for(rewards: list[float], gamma: float, horizon: int) -> None:
    array = np.array(rewards)
    powers = gamma ** np.arange(len(array))
    whole = [float(array[step:] @ powers[: len(array) - step]) for step in range(len(array))]
    cut = [
        float(array[step : step + horizon] @ powers[: len(array[step : step + horizon])])
        for step in range(len(array))
    ]
    np.testing.assert_allclose(discounted_returns(array, gamma), whole, atol=1e-9)
    np.testing.assert_allclose(truncated_returns(array, gamma, horizon), cut, atol=1e-9)


def test_the_sufficient_horizon_is_the_first_that_is() -> None:
    assert [sufficient_horizon(gamma, 0.01) for gamma in (0.8, 0.9)] == [21, 44]
    for gamma in (0.5, 0.8, 0.97):
        horizon = sufficient_horizon(gamma, 0.05)
        assert gamma**horizon <= 0.05 < gamma ** (horizon - 1)


def test_contexts_are_followed_by_enough_steps() -> None:
    episodes = [episode(4), episode(9), episode(6)]
    contexts = choose_contexts(episodes, 0.5, 5, 100)
    places = list(zip(contexts.episode.tolist(), contexts.step.tolist(), strict=True))
    assert places == [(1, step) for step in range(5)] + [(2, 0), (2, 1)]
    assert contexts.states[:, 0].tolist() == [step for _, step in places]
    assert contexts.returns[0] == pytest.approx(discounted_returns(episodes[1].rewards, 0.5)[0])
    assert contexts.actions is None
    few = choose_contexts(episodes, 0.5, 5, 3)
    assert len(few.step) == 3 and set(few.episode.tolist()) == {1, 2}


def test_actions_come_along() -> None:
    contexts = choose_contexts([episode(9, actions=True)], 0.5, 5, 100)
    assert contexts.actions is not None and contexts.actions[:, 0].tolist() == contexts.step.tolist()


def test_unusable_episodes_are_named() -> None:
    with pytest.raises(InputError, match="'broken' has 3 states and 3 rewards"):
        StateEpisode("broken", np.zeros((3, 2), np.int64), np.zeros(3))
    with pytest.raises(InputError, match=r"has 30 steps.*the longest has 9.*lower gamma"):
        choose_contexts([episode(9)], 0.8, 30, 10)
    with pytest.raises(InputError, match="'two' has no actions"):
        choose_contexts([episode(9, actions=True), episode(9, "two")], 0.5, 5, 100)
