import numpy as np
import pytest

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.sample_world.config import SampleWorldConfig
from vidrep_pipelines.data.sample_world.environment import SampleWorldEnvironment
from vidrep_pipelines.data.sample_world.episode import render_episode, run_episode
from vidrep_pipelines.data.sample_world.policy import RandomPolicy, ScriptedPolicy
from vidrep_pipelines.data.sample_world.scene import draw_scene

CONFIG = SampleWorldConfig(width=64, height=48, frames_min=20, frames_max=24)


def test_an_episode_equals_the_clip_that_the_same_policy_makes() -> None:
    environment = SampleWorldEnvironment(CONFIG, "stack")
    frames, rewards = [environment.reset(7)], [environment.reward]
    policy = ScriptedPolicy(0.1)
    environment.begin(policy)
    while not environment.done:
        result = environment.step(policy.act(environment.world)[0])
        frames.append(result.frame)
        rewards.append(result.reward)
    run = run_episode(draw_scene("stack", 7, CONFIG.distractors), ScriptedPolicy(0.1), 24, 24)
    np.testing.assert_array_equal(frames, [frame.pixels for frame in render_episode(run, CONFIG)])
    np.testing.assert_array_equal(np.array(rewards, np.float32), run.rewards)
    np.testing.assert_array_equal(environment.state, run.states[-1])


def test_actions_are_seen_in_the_picture() -> None:
    environment = SampleWorldEnvironment(CONFIG.model_copy(update={"sensor_noise": 0}), "wave")
    frames = []
    for direction in (1.0, -1.0):
        environment.reset(1)
        for _ in range(5):
            frame = environment.step(np.array([direction, 0, 0, 0])).frame
        frames.append(frame.astype(int))
        assert (environment.frame.masks == 1).any()
    assert (np.abs(frames[0] - frames[1]).max(-1) > 20).sum() > 30


def test_an_episode_ends_and_can_begin_again() -> None:
    environment = SampleWorldEnvironment(CONFIG, "push")
    first = environment.reset(3)
    policy = RandomPolicy()
    environment.begin(policy)
    done = [environment.step(policy.act(environment.world)[0]).done for _ in range(23)]
    assert done == [False] * 22 + [True]
    with pytest.raises(InputError, match="reset"):
        environment.step(np.zeros(4))
    np.testing.assert_array_equal(environment.reset(3), first)
    assert environment.instruction.startswith("push the ")


def test_misuse_is_explained() -> None:
    with pytest.raises(ConfigurationError, match="juggle"):
        SampleWorldEnvironment(CONFIG, "juggle")  # type: ignore[arg-type]
    environment = SampleWorldEnvironment(CONFIG)
    with pytest.raises(InputError, match="reset"):
        environment.step(np.zeros(4))
    with pytest.raises(InputError, match="reset"):
        _ = environment.instruction
