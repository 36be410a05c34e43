"""MetaWorld itself, where it is installed."""

import numpy as np
import pytest

from tests.helpers.metaworld import needs_metaworld, needs_rendering
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.common.extras import require_extra
from vidrep_pipelines.data.sources.headless_rendering import choose_renderer
from vidrep_pipelines.data.sources.metaworld.config import MetaworldEpisodesConfig, MetaworldPicturesConfig
from vidrep_pipelines.data.sources.metaworld.episodes import run_expert
from vidrep_pipelines.data.sources.metaworld.instructions import METAWORLD_INSTRUCTIONS
from vidrep_pipelines.data.sources.metaworld.simulator import MetaworldSimulator

pytestmark = needs_metaworld

PICTURES = MetaworldPicturesConfig(cameras=("corner2", "topview"), width=48, height=32)
CONFIG = MetaworldEpisodesConfig(pictures=PICTURES)


def test_all_its_tasks_have_words() -> None:
    choose_renderer()
    experts = require_extra("metaworld.policies", "robots").ENV_POLICY_MAP
    assert set(experts) == set(METAWORLD_INSTRUCTIONS)


def test_an_expert_does_its_task_and_a_layout_does_not_depend_on_the_one_before() -> None:
    simulator = MetaworldSimulator("button-press-v3", PICTURES)
    first = run_expert(simulator, 5, CONFIG)
    other = run_expert(simulator, 6, CONFIG)
    again = run_expert(simulator, 5, CONFIG)
    assert first.succeeded and other.succeeded and len(first.states) > 20
    np.testing.assert_array_equal(first.states, again.states)
    np.testing.assert_array_equal(first.actions, again.actions)
    assert first.states.shape[1] == first.actions.shape[1] == 4
    assert len(first.actions) != len(other.actions) or (first.actions != other.actions).any()
    simulator.close()


@needs_rendering
def test_its_pictures_follow_the_hand_and_the_quality() -> None:
    seen = {}
    for quality in ("fast", "published"):
        simulator = MetaworldSimulator("reach-v3", PICTURES.model_copy(update={"quality": quality}))
        simulator.reset(3)
        before = simulator.pictures()
        for _ in range(20):
            simulator.step(np.array([1.0, 0.0, 0.0, 0.0]))
        seen[quality] = before["corner2"], simulator.pictures()["corner2"]
        simulator.close()
        assert [picture.shape for picture in before.values()] == [(32, 48, 3)] * 2
        assert np.abs(seen[quality][0].astype(int) - seen[quality][1]).max() > 50
    assert (seen["fast"][0] != seen["published"][0]).any()


def test_what_it_cannot_do_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"no task 'fly-v3'\. Tasks: .*reach-v3"):
        MetaworldSimulator("fly-v3", PICTURES)
    simulator = MetaworldSimulator("reach-v3", PICTURES)
    with pytest.raises(InputError, match="no episode has begun"):
        simulator.step(np.zeros(4))
    simulator.reset(0)
    for action in (np.zeros(3), np.array([0.0, np.nan, 0.0, 0.0])):
        with pytest.raises(InputError, match="4 finite numbers"):
            simulator.step(action)
    simulator.close()
