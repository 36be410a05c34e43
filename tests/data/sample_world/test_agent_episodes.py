import pickle

import numpy as np
import pytest

from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.episode import NO_ANNOTATIONS, Segment
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest
from vidrep_pipelines.data.sample_world.agent_config import AgentEpisodesConfig, BehaviorConfig
from vidrep_pipelines.data.sample_world.agent_episodes import agent_requests, phase_segments
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


def test_annotated_episodes_say_what_the_simulator_knows() -> None:
    plain = agent_requests(CONFIG, FRAMES)
    spoken = agent_requests(CONFIG.model_copy(update={"annotations": True}), FRAMES)
    assert all(one.digest != other.digest for one, other in zip(plain, spoken, strict=True))
    for one, other in zip(pictures_of(plain[0]), pictures_of(spoken[0]), strict=True):
        np.testing.assert_array_equal(one, other)
    with spoken[0].source.open() as episode:
        (view,) = episode.views
        said = episode.annotations
        assert view.masks is not None
        pairs = list(zip(view.pictures, view.masks, strict=True))
    assert len(pairs) == 20 and pairs[0][1].shape == (32, 32)
    assert set(np.unique([mask for _, mask in pairs])) <= set(range(len(said.mask_names)))
    assert said.mask_names[:2] == ("background", "arm") and len(said.mask_names) > 2
    ((segment,), phases) = said.segments, said.phases
    assert (segment.first, segment.last, segment.task) == (0, 20, "push") and "push" in segment.text
    assert phases[0].first == 0 and phases[-1].last == 20
    assert said.frames_per_second == WORLD.frames_per_second and said.success is None
    with spoken[1].source.open() as episode:  # nobody follows a plan
        assert episode.annotations.phases == ()


def test_episodes_without_annotations_have_the_digests_that_they_had() -> None:
    requests = agent_requests(CONFIG, FRAMES)
    assert [request.digest for request in requests[:2]] == ["c9798c4356499dab", "d176527779b535ef"]
    with requests[0].source.open() as episode:
        assert episode.annotations == NO_ANNOTATIONS and episode.views[0].masks is None  # type: ignore[index]


def test_phases_are_stretches_of_equal_numbers() -> None:
    phases = np.array([-1, 0, 0, 2, 2, 2, 0], np.int16)
    assert phase_segments(phases, ("reach", "grasp", "lift")) == (
        Segment(1, 3, "reach"),
        Segment(3, 6, "lift"),
        Segment(6, 7, "reach"),
    )
    assert phase_segments(np.full(4, -1, np.int16), ()) == ()
