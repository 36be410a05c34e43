import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.helpers.control import OBSERVATION, FakeEnvironment, write_policy
from vidrep_pipelines.common.errors import ConfigurationError, InputError, MissingExtraError
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.sources.dm_control import episodes as dm_control_episodes
from vidrep_pipelines.data.sources.dm_control import policies as dm_control_policies
from vidrep_pipelines.data.sources.dm_control.actor import read_actor, run_actor
from vidrep_pipelines.data.sources.dm_control.config import ControlBehavior, ControlConfig
from vidrep_pipelines.data.sources.dm_control.episodes import (
    collect,
    control_requests,
    load_environment,
)
from vidrep_pipelines.data.sources.dm_control.policies import Gait, gait_of

FRAMES = FramesConfig(height=16, width=16, min_frames=2)
CONFIG = ControlConfig(episodes=3, size=16)


def collected(
    behavior: ControlBehavior, config: ControlConfig = CONFIG, seed: int = 0
) -> tuple[FakeEnvironment, Any]:
    environment = FakeEnvironment()
    return environment, collect(environment, config, behavior, seed)


@pytest.mark.parametrize("policy", ["uniform", "smooth"])
def test_rewards_of_repeated_actions_add_up_and_the_end_is_kept(policy: Any) -> None:
    environment, episode = collected(ControlBehavior(policy=policy))
    frames = np.stack(list(episode.views[0].pictures))
    assert frames[:, 0, 0, 0].tolist() == [0, 2, 4, 6, 8, 10, 11]
    assert episode.states.shape == (7, 3) and episode.actions.shape == (6, 2) and episode.robot == policy
    carried_out = np.stack(environment.actions)
    assert len(carried_out) == 11 and (carried_out[0] == carried_out[1]).all()
    np.testing.assert_allclose(
        episode.outcomes[:5, 0], carried_out[:10].sum(1).reshape(5, 2).sum(1), rtol=1e-6
    )
    assert episode.outcomes[:, 1].tolist() == [1, 1, 1, 1, 1, 0]
    assert carried_out.min(axis=0)[1] >= 0 and carried_out.max(axis=0)[0] <= 1
    assert (collected(ControlBehavior(policy=policy))[1].actions == episode.actions).all()
    assert (collected(ControlBehavior(policy=policy), seed=1)[1].actions != episode.actions).any()


def test_quality_decides_what_is_rendered() -> None:
    fast = collected(ControlBehavior())[0].physics.renders[0]
    assert fast["render_flag_overrides"] == {"shadow": False, "reflection": False} and fast["samples"] == 0
    published = ControlConfig(quality="published", size=16, camera=2)
    plain = collected(ControlBehavior(), published)[0].physics.renders[0]
    assert plain["render_flag_overrides"] == {} and plain["samples"] == 4 and plain["camera_id"] == 2


def test_a_trained_policy_acts_within_bounds(tmp_path: Path) -> None:
    path = write_policy(tmp_path / "actor.safetensors")
    episode = collected(ControlBehavior(policy="trained", actor=path))[1]
    first = run_actor(read_actor(path, OBSERVATION), episode.states[0])
    np.testing.assert_allclose(episode.actions[0], [first[0], first[1] + 1], rtol=1e-5)
    noisy = collected(ControlBehavior(policy="trained", actor=path, noise=0.5))[1]
    assert (noisy.actions != episode.actions).any() and noisy.actions[:, 1].min() >= 0
    assert (episode.robot, noisy.robot) == ("trained_noise_0", "trained_noise_0.5")


def test_a_gait_swings_in_time_and_not_with_the_number_of_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    swing = Gait(frequency=2.5, amplitude=(1.0, 0.5), phase=(0.0, np.pi / 2), offset=(0.0, 0.25))
    monkeypatch.setattr(dm_control_policies, "gait_of", lambda domain: swing)
    episode = collected(ControlBehavior(policy="scripted"))[1]
    angle = 2 * np.pi * 2.5 * np.arange(6) * 0.02  # an action takes two control steps of 0.01 seconds
    expected = np.stack([np.sin(angle), 1 + 0.25 + 0.5 * np.cos(angle)], axis=1)
    np.testing.assert_allclose(episode.actions, expected, atol=1e-6)
    once = collected(ControlBehavior(policy="scripted"), CONFIG.model_copy(update={"action_repeat": 1}))[1]
    np.testing.assert_allclose(once.actions[::2], episode.actions, atol=1e-6)


@pytest.mark.parametrize("domain", ["cheetah", "walker"])
def test_gaits_are_of_six_joints_within_bounds(domain: str) -> None:
    actions = np.stack([gait_of(domain).action(seconds) for seconds in np.linspace(0, 2, 101)])
    assert actions.shape == (101, 6) and np.abs(actions).max() == 1 and actions.std(axis=0).min() > 0.1


def test_a_domain_without_a_gait_says_which_have_one() -> None:
    config = CONFIG.model_copy(update={"domain": "finger"})
    with pytest.raises(
        ConfigurationError, match=r"scripted policy for finger, only for cheetah, walker\. Rem"
    ):
        collected(ControlBehavior(policy="scripted"), config)


def test_requests_deal_behaviors_and_their_digests_know_the_science(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    behaviors = (ControlBehavior(), ControlBehavior(policy="uniform"))
    config = CONFIG.model_copy(update={"behaviors": behaviors})
    requests = control_requests(config, FRAMES)
    assert [request.id for request in requests] == [f"cheetah_run_000{number}" for number in range(3)]
    monkeypatch.setattr(dm_control_episodes, "load_environment", lambda *_: FakeEnvironment())
    with requests[1].source.open() as episode:
        assert episode.robot == "uniform"
    more = control_requests(config.model_copy(update={"episodes": 9}), FRAMES)
    assert more[0].digest == requests[0].digest
    published = control_requests(config.model_copy(update={"quality": "published"}), FRAMES)
    assert published[0].digest != requests[0].digest


def test_the_trained_policy_of_the_pipeline_acts_where_no_other_is_named(tmp_path: Path) -> None:
    named, own = (write_policy(tmp_path / f"{name}.safetensors", seed) for seed, name in enumerate("ab"))
    behaviors = (ControlBehavior(policy="trained"), ControlBehavior(policy="trained", actor=named))
    config = CONFIG.model_copy(update={"behaviors": behaviors})
    sources: list[Any] = [request.source for request in control_requests(config, FRAMES, own)]
    assert [source.behavior.actor for source in sources] == [own, named, own]
    before = [source.digest for source in sources]
    write_policy(own, seed=7)
    after = [request.source.digest for request in control_requests(config, FRAMES, own)]
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True, False]
    with pytest.raises(ConfigurationError, match="the policy 'trained' needs a policy"):
        control_requests(config, FRAMES)
    with pytest.raises(InputError, match=r"no trained policy .*c\.safetensors"):
        control_requests(config, FRAMES, tmp_path / "c.safetensors")


def test_noise_levels_are_dealt_to_a_trained_or_scripted_policy() -> None:
    def dealt(**changes: Any) -> list[str]:
        return [behavior.name for behavior in ControlConfig(**changes).dealt]

    assert dealt() == ["smooth", "uniform"]
    assert dealt(policy="scripted", noise=(0.0, 0.5)) == ["scripted_noise_0", "scripted_noise_0.5"]
    assert dealt(policy="trained", behaviors=({"policy": "uniform"},)) == ["uniform"]


def fake_suite(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = ModuleType("dm_control.suite")
    vars(suite).update(
        ALL_TASKS=(("cheetah", "run"),),
        load=lambda domain, task, task_kwargs: (domain, task, task_kwargs),
    )
    monkeypatch.setitem(sys.modules, "dm_control", ModuleType("dm_control"))
    monkeypatch.setitem(sys.modules, "dm_control.suite", suite)


def test_unknown_tasks_are_named_and_known_ones_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_suite(monkeypatch)
    assert load_environment("cheetah", "run", 5) == ("cheetah", "run", {"random": 5})
    with pytest.raises(ConfigurationError, match=r"no task cheetah-fly\. Domains: cheetah"):
        load_environment("cheetah", "fly", 5)


def test_a_missing_simulator_or_renderer_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("dm_control", "dm_control.suite"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"\[robots\]"):
        load_environment("cheetah", "run", 0)

    def broken(module: str, extra: str) -> Any:
        raise AttributeError("'NoneType' object has no attribute 'glGetError'")

    monkeypatch.setattr(dm_control_episodes, "require_extra", broken)
    with pytest.raises(ConfigurationError, match=r"nothing to render with.*MUJOCO_GL=egl"):
        load_environment("cheetah", "run", 0)
    environment = FakeEnvironment()
    monkeypatch.setattr(environment.physics, "render", lambda **_: broken("", ""))
    with pytest.raises(ConfigurationError, match=r"cannot render.*libosmesa6"):
        collect(environment, CONFIG, ControlBehavior(), 0)


def test_the_real_suite_collects_an_episode() -> None:
    pytest.importorskip("dm_control", reason="needs the extra robots")
    try:
        environment: Any = load_environment("cheetah", "run", 0)
    except ConfigurationError as error:
        pytest.skip(str(error))
    environment._step_limit = 6
    episode = collect(environment, CONFIG, ControlBehavior(), 0)
    assert episode.states.shape == (4, 17) and episode.actions.shape == (3, 6)
    assert all(view.source_frames == 4 for view in episode.views)
