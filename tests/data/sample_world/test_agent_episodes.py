import pickle

import numpy as np
import pytest

from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest
from vidrep_pipelines.data.sample_world.agent_config import AgentEpisodesConfig, BehaviorConfig
from vidrep_pipelines.data.sample_world.agent_episodes import agent_requests
from vidrep_pipelines.data.sample_world.config import SampleWorldConfig

WORLD = SampleWorldConfig(width=32, height=32, distractors=0)
FRAMES = FramesConfig(height=32, width=32)
CONFIG = AgentEpisodesConfig(
    world=WORLD,
    episodes=4,
    frames=20,
    behaviors=(BehaviorConfig(noise=0.0), BehaviorConfig(policy="random")),
    scenes=2,
)


def pictures_of(request: EpisodeRequest) -> tuple[np.ndarray, ...]:  # type: ignore[type-arg]
    with request.source.open() as episode:
        (view,) = episode.views
        frames = np.stack(list(view.pictures))
        return frames, episode.states, episode.actions, episode.outcomes


def test_an_episode_has_frames_states_actions_and_rewards() -> None:
    first = agent_requests(CONFIG, FRAMES)[0]
    frames, states, actions, outcomes = pictures_of(pickle.loads(pickle.dumps(first)))
    assert frames.shape == (20, 32, 32, 3) and frames.dtype == np.uint8
    assert states.shape == (20, 4) and actions.shape == (19, 4) and outcomes.shape == (19, 2)
    assert (outcomes[:, 1] == 1).all() and outcomes[:, 0].min() >= 0 and outcomes[:, 0].max() <= 1
    assert len(set(outcomes[:, 0].tolist())) > 1
    again = pictures_of(first)
    for one, other in zip(again, (frames, states, actions, outcomes), strict=True):
        np.testing.assert_array_equal(one, other)


def test_behaviors_and_scenes_are_dealt_in_turn() -> None:
    requests = agent_requests(CONFIG, FRAMES)
    runs = [pictures_of(request) for request in requests]
    with requests[1].source.open() as episode:
        assert episode.robot == "random"
    with requests[0].source.open() as episode:
        assert episode.robot == "scripted_noise_0"
    assert np.array_equal(runs[0][0][0], runs[2][0][0])  # the same scene
    assert not np.array_equal(runs[0][0][0], runs[1][0][0])
    assert not np.array_equal(runs[1][2], runs[3][2])  # the same policy, other draws


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"episodes": 9}, True),
        ({"world": WORLD.model_copy(update={"clips": 3, "quality": 30})}, True),
        ({"world": WORLD.model_copy(update={"shutter": 0.0})}, False),
        ({"frames": 21}, False),
        ({"seed": 1}, False),
    ],
)
def test_digest_follows_what_the_episode_depends_on(change: dict[str, object], same: bool) -> None:
    other = agent_requests(CONFIG.model_copy(update=change), FRAMES)[0]
    assert (other.digest == agent_requests(CONFIG, FRAMES)[0].digest) is same
