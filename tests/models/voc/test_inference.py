from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.models.voc.tiny import ACTIONS, STACK, make_config, make_episodes
from tests.models.voc.tokenizers.tiny import SIZE, SOURCE, make_store, vae_config
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes
from vidrep_pipelines.models.voc.checkpoint_io import trained_model
from vidrep_pipelines.models.voc.inference import (
    DecodedStates,
    NearestStates,
    OccupancyPredictor,
    RetrievedStates,
    eventful_contexts,
    roll_out,
    steps_per_jump,
)
from vidrep_pipelines.models.voc.model import VocModel
from vidrep_pipelines.models.voc.tokenizers.inference import depict
from vidrep_pipelines.models.voc.tokenizers.vae.model import VaeTokenizer

IntArray = NDArray[np.int64]
GAMMA = 0.8


class Clock:
    """A world whose state is the time: its discounted future is a geometric number of steps ahead."""

    def state_samples(
        self, states: IntArray, seeds: IntArray, samples: int, actions: NDArray[np.float64] | None = None
    ) -> IntArray:
        steps = [np.random.default_rng(seed).geometric(1 - GAMMA, samples) for seed in seeds]
        speed = 1 if actions is None else actions.astype(np.int64)[:, :, None]
        return states[:, None] + speed * np.stack(steps)[:, :, None]


def test_every_jump_goes_further_ahead() -> None:
    chains = roll_out(Clock(), np.array([[0], [100]]), 1500, 3, seed=1)
    assert chains.shape == (2, 1500, 3, 1)
    ahead = chains[..., 0] - np.array([0, 100])[:, None, None]
    assert (np.diff(ahead, axis=2) >= 1).all()
    np.testing.assert_allclose(ahead.mean(axis=(0, 1)), [5, 10, 15], rtol=0.05)
    np.testing.assert_allclose(ahead.var(axis=(0, 1)), [20, 40, 60], rtol=0.15)  # negative binomial
    assert steps_per_jump(GAMMA) == 5


def test_equal_seeds_give_equal_futures_and_samples_differ() -> None:
    states = np.array([[0], [100]])
    chains = roll_out(Clock(), states, 20, 2, seed=1)
    np.testing.assert_array_equal(roll_out(Clock(), states, 20, 2, seed=1), chains)
    assert (roll_out(Clock(), states, 20, 2, seed=2) != chains).any()
    assert len(np.unique(chains[0, :, 0])) > 1


def test_a_behavior_chooses_the_actions_of_every_jump() -> None:
    chains = roll_out(Clock(), np.array([[0]]), 4, 3, 1, lambda states: np.full((len(states), 1), 7.0))
    assert (chains % 7 == 0).all() and (chains[:, :, 2] >= 21).all()


@pytest.mark.parametrize("actions", [False, True])
def test_trained_models_are_rolled_out(actions: bool) -> None:
    config, episodes = make_config(actions=actions), make_episodes()
    model = trained_model(config, VocModel(config).state_dict())
    known = NearestStates(episodes, STACK)
    behavior = known.actions if actions else None
    states = episodes.states_of(0, STACK)[:2]
    chains = roll_out(OccupancyPredictor(model), states, 3, 2, 0, behavior)
    assert chains.shape == (2, 3, 2, config.state_tokens)
    assert 0 <= chains.min() <= chains.max() < config.gpt.vocabulary


def test_contexts_are_where_the_reward_changes() -> None:
    episodes = make_episodes((9, 4, 9, 9))
    episodes.rewards[:] = 0.1
    for episode, step in ((0, 6), (3, 4)):
        episodes.rewards[episodes.outcome_rows(np.array([episode]), np.array([step]))] = 1 - episode / 10
    np.testing.assert_array_equal(eventful_contexts(episodes, horizon=3, count=2), [[0, 4], [3, 2]])
    np.testing.assert_array_equal(eventful_contexts(episodes, horizon=3, count=1), [[0, 4]])
    assert eventful_contexts(episodes, horizon=5, count=9)[:, 0].tolist() == [0, 2, 3]


def test_too_short_episodes_are_refused() -> None:
    with pytest.raises(InputError, match=r"of 20 steps.*the longest episode has 9.*occupancy_futures\.jumps"):
        eventful_contexts(make_episodes(), horizon=20, count=1)


def test_the_nearest_state_shares_the_most_tokens() -> None:
    episodes = make_episodes((6, 6))
    known = NearestStates(episodes, STACK)
    assert len(known.step) == 12  # the last state of an episode has no action
    exact = episodes.states_of(1, STACK)[:6]
    found = known.find(exact)
    np.testing.assert_array_equal(known.agreement(exact, found), np.ones(6))
    assert [known.name(number) for number in found] == ["run_1"] * 6
    np.testing.assert_array_equal(known.step[found], np.arange(6))
    np.testing.assert_array_equal(known.actions(exact), episodes.actions[episodes.outcomes_of(1)])
    assert known.actions(exact).shape == (6, ACTIONS)
    changed = exact[3:4].copy()
    changed[0, 0] = (changed[0, 0] + 1) % episodes.vocabulary
    assert known.agreement(changed, known.find(changed))[0] >= 0.75


def test_states_are_decoded_frame_by_frame() -> None:
    tokenizer = VaeTokenizer(vae_config()).eval()
    codes = torch.randint(tokenizer.vocabulary, (5, 2, tokenizer.grid, tokenizer.grid))
    depiction = DecodedStates(tokenizer, frame_stack=2)
    frames = depiction.frames(codes.flatten(1).numpy())
    assert frames.shape == (5, 2, SIZE, SIZE, 3) and frames.dtype == np.uint8
    expected = (depict(tokenizer, codes[3]) * 255).round().movedim(1, -1).numpy()
    np.testing.assert_allclose(frames[3], expected, atol=1)
    assert depiction.captions(codes.flatten(1).numpy()) == []


def test_states_without_a_decoder_are_shown_by_real_frames(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    names, lengths = tuple(store.ids), [store.length(name) for name in store.ids]
    rows = sum(lengths)
    rng = np.random.default_rng(0)
    episodes = TokenEpisodes(
        codes=rng.integers(16, size=(rows, 4)).astype(np.int16),
        actions=np.zeros((rows, 1), np.float32),
        rewards=np.zeros(rows, np.float32),
        discounts=np.ones(rows, np.float32),
        offsets=np.cumsum([0, *lengths]),
        names=names,
        splits=("train",) * len(names),
        grid=(2, 2),
        vocabulary=16,
    )
    depiction = RetrievedStates(NearestStates(episodes, 3), store, frame_stack=3)
    states = episodes.states_of(2, 3)[:5]
    frames = depiction.frames(states)
    assert frames.shape == (5, 3, SOURCE, SOURCE, 3)
    np.testing.assert_array_equal(frames[4], store.frames(names[2], slice(2, 5)))
    np.testing.assert_array_equal(frames[0], store.frames(names[2], np.zeros(3, np.int64)))
    assert depiction.captions(states) == ["100% alike"] * 5
