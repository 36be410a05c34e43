from collections.abc import Sequence

import numpy as np
import torch

from vidrep_pipelines.common.arrays import SingleArray
from vidrep_pipelines.evaluation.robot_cloning.cloned_policy import ClonedPolicy, HeadInput
from vidrep_pipelines.evaluation.robot_cloning.cloning_head import CloningHead, histories
from vidrep_pipelines.evaluation.rollouts.protocol import Observation, PlanRequest

WORDS = ("blue", "red")


def request(episode: str, step: int, place: float, told: str = "lift the red cup up") -> PlanRequest:
    state = np.array([place, 2 * place])
    return PlanRequest(Observation({}, state), told, episode, step, seed=0)


def look(observed: Sequence[Observation]) -> SingleArray:
    return np.stack([[one.state[0], one.state[0] ** 2] for one in observed]).astype(np.float32)


def test_what_is_seen_in_action_is_what_was_seen_in_training() -> None:
    """Two episodes in lock step: each has its own past, which begins anew with its first step."""
    given = HeadInput(history=3, proprioception=True, words=WORDS)
    torch.manual_seed(0)
    head = CloningHead(3 * 2 + 2 + 2 * len(WORDS), 3, (8,)).eval()
    policy = ClonedPolicy(head, look, given, torch.device("cpu"))
    places = {"a": [0.0, 1.0, 3.0, 2.0], "b": [5.0, 4.0, 0.0, 9.0]}
    for _ in range(2):
        for step in range(4):
            found = policy.plan([request(name, step, own[step]) for name, own in places.items()])
            assert found.shape == (2, 1, 3)
            for own, actions in zip(places.values(), found, strict=True):
                states = np.array([[place, 2 * place] for place in own], np.float32)
                features = np.stack([[place, place**2] for place in own]).astype(np.float32)
                rows = np.concatenate(
                    [histories(features, 3), given.beside(states, "lift the red cup up")], axis=1
                )
                with torch.inference_mode():
                    wanted = head(torch.from_numpy(rows[[step]].astype(np.float32)))
                np.testing.assert_allclose(actions[0], wanted[0], rtol=1e-5, atol=1e-6)


def test_a_head_is_told_the_words_that_differ() -> None:
    state = np.zeros((2, 3), np.float32)
    red = HeadInput(1, True, WORDS).beside(state, "lift the red cup up")
    assert red.shape == (2, 7) and red[0, 3:].tolist() == [0, 1, 0, 0.5]
    assert HeadInput(1, False, WORDS).beside(state, "lift the red cup up").shape == (2, 4)
    assert HeadInput(1, False, ()).beside(state, "lift the red cup up").shape == (2, 0)
