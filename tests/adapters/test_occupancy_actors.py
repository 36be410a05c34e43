from typing import cast

import numpy as np
import pytest
import torch

from vidrep_pipelines.adapters.occupancy_actors import (
    ActionLibrary,
    RetrievingActor,
    TokenEyes,
    chance_judge,
    return_judge,
    value_judge,
)
from vidrep_pipelines.common.arrays import FloatArray, IntArray
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes
from vidrep_pipelines.evaluation.rollouts.agent_world import CAMERA
from vidrep_pipelines.evaluation.rollouts.protocol import Observation, PlanRequest
from vidrep_pipelines.models.voc.inference import OccupancyPredictor
from vidrep_pipelines.models.voc.tokenizers.config import PixelConfig
from vidrep_pipelines.models.voc.tokenizers.inference import Tokenizer

LENGTH, CODES = 6, 8


def make_tokens() -> TokenEpisodes:
    """Three episodes that look alike at first; each has an action of its own, and the last earns the most."""
    rows = LENGTH + 1
    codes = np.tile(np.arange(rows)[:, None] % CODES, (3, 4)).astype(np.int16)
    codes[np.arange(3) * rows + 3, 0] = [5, 6, 7]  # at step 3 they can be told apart
    which = np.repeat(np.arange(3), rows)
    return TokenEpisodes(
        codes=codes,
        actions=np.tile(which[:, None] / 4, (1, 2)).astype(np.float32),
        rewards=(which * 1.0).astype(np.float32),
        discounts=np.ones(3 * rows, np.float32),
        offsets=np.arange(4) * rows,
        names=("a", "b", "c"),
        splits=("train",) * 3,
        grid=(2, 2),
        vocabulary=CODES,
    )


class Flat:
    """A tokenizer whose codes are the red of four corners."""

    pixels = PixelConfig(size=2, shift=0)
    vocabulary, grid, codebook = CODES, 2, torch.zeros(CODES, 1)

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        low = images[:, 0].amin(dim=(1, 2), keepdim=True)
        return ((images[:, 0] - low) > 0.1).long()


def request(step: int, seed: int = 0, red: int = 0) -> PlanRequest:
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0, 0, 0] = red
    return PlanRequest(Observation({CAMERA: picture}, np.zeros(4)), "push", "one", step, seed)


def test_candidates_are_of_different_episodes_the_most_similar_first() -> None:
    library = ActionLibrary(make_tokens(), 1, 2, 0.5)
    rows = library.nearest(np.array([[6, 3, 3, 3]]), 3)
    assert rows[0, 0] == (LENGTH - 1) + 3  # step 3 of the second episode
    assert sorted(row // (LENGTH - 1) for row in rows[0].tolist()) == [0, 1, 2]
    assert library.actions.shape == (3 * (LENGTH - 1), 2, 2)
    np.testing.assert_allclose(library.returns[0 :: LENGTH - 1], np.arange(3) * (2 - 2 * 0.5**LENGTH))
    with pytest.raises(ConfigurationError, match="execute_steps"):
        ActionLibrary(make_tokens(), 1, LENGTH + 1, 0.5)


def test_the_judge_decides_what_is_done() -> None:
    library = ActionLibrary(make_tokens(), 1, 2, 0.5)
    eyes = TokenEyes(cast(Tokenizer, Flat()), 1)

    def plan(judge: object, seed: int = 0) -> FloatArray:
        return RetrievingActor(eyes, library, 3, judge).plan([request(0, seed)])  # type: ignore[arg-type]

    assert (plan(return_judge(library)) == 0.5).all()  # the action of the episode that earns the most
    chosen = {float(plan(chance_judge, seed)[0, 0, 0]) for seed in range(30)}
    assert chosen == {0.0, 0.25, 0.5} and plan(chance_judge, 4).tolist() == plan(chance_judge, 4).tolist()


def test_values_are_asked_with_the_same_noise_for_all_candidates() -> None:
    library = ActionLibrary(make_tokens(), 1, 2, 0.5)

    class Prefers:
        """Values the action 0.25, and keeps what it was asked."""

        def reward_samples(
            self, states: IntArray, seeds: IntArray, samples: int, actions: FloatArray
        ) -> FloatArray:
            self.seeds, self.samples = seeds, samples
            return np.repeat(-np.abs(actions[:, :1] - 0.25), samples, axis=1)

    model = Prefers()
    judge = value_judge(cast(OccupancyPredictor, model), library, 5)
    actor = RetrievingActor(TokenEyes(cast(Tokenizer, Flat()), 1), library, 3, judge)
    assert (actor.plan([request(0, seed=7)]) == 0.25).all()
    assert model.seeds.tolist() == [7, 7, 7] and model.samples == 5


def test_a_state_is_the_last_frames_and_the_first_is_repeated() -> None:
    eyes = TokenEyes(cast(Tokenizer, Flat()), 2)
    first, then = eyes.states([request(0)])[0], eyes.states([request(1, red=255)])[0]
    assert first.tolist() == [0] * 8 and then.tolist() == [0] * 4 + [1, 0, 0, 0]
    assert eyes.states([request(0, red=255)])[0].tolist() == [1, 0, 0, 0] * 2  # a new episode
