import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from vidrep_pipelines.common.errors import ConfigurationError, InputError, MissingExtraError
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.sources import dm_control_episodes
from vidrep_pipelines.data.sources.dm_control_episodes import (
    ControlConfig,
    collect,
    control_requests,
    load_environment,
)
from vidrep_pipelines.data.sources.dm_control_policies import ControlBehavior, read_actor, run_actor

FRAMES = FramesConfig(height=16, width=16, min_frames=2)
CONFIG = ControlConfig(episodes=3, size=16)


class FakePhysics:
    """Renders the number of steps so far."""

    def __init__(self) -> None:
        self.model = SimpleNamespace(vis=SimpleNamespace(quality=SimpleNamespace(offsamples=4)))
        self.steps, self.renders = 0, list[dict[str, Any]]()

    def render(self, **options: Any) -> NDArray[np.uint8]:
        self.renders.append({**options, "samples": self.model.vis.quality.offsamples})
        return np.full((options["height"], options["width"], 3), self.steps, np.uint8)


class FakeEnvironment:
    """Ends after eleven control steps; the reward is the sum of the action, the last discount zero."""

    def __init__(self) -> None:
        self.physics, self.actions = FakePhysics(), list[NDArray[np.floating[Any]]]()

    def action_spec(self) -> Any:
        return SimpleNamespace(shape=(2,), minimum=np.array([-1.0, 0.0]), maximum=np.array([1.0, 2.0]))

    def reset(self) -> Any:
        return self._step(None)

    def step(self, action: NDArray[np.floating[Any]]) -> Any:
        self.physics.steps += 1
        self.actions.append(action.copy())
        return self._step(float(action.sum()))

    def _step(self, reward: float | None) -> Any:
        over = self.physics.steps == 11
        observation = {"position": np.full(2, self.physics.steps), "height": 0.5}
        discount = None if reward is None else float(not over)
        return SimpleNamespace(observation=observation, reward=reward, discount=discount, last=lambda: over)


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


def test_a_trained_actor_acts_within_bounds(tmp_path: Path) -> None:
    path = tmp_path / "actor.safetensors"
    rng = np.random.default_rng(0)
    shapes = {"layers.0": (4, 3), "layers.1": (2, 4)}
    weights = {f"{k}.weight": rng.normal(size=v).astype(np.float32) for k, v in shapes.items()}
    biases = {f"{k}.bias": np.zeros(v[0], np.float32) for k, v in shapes.items()}
    save_file(weights | biases, path)
    state = np.array([1.0, 1.0, 0.5], np.float32)
    hidden = np.maximum(weights["layers.0.weight"] @ state, 0)
    wanted = np.tanh(weights["layers.1.weight"] @ hidden)
    np.testing.assert_allclose(run_actor(read_actor(path), state), wanted, rtol=1e-5)
    episode = collected(ControlBehavior(policy="actor", actor=path))[1]
    first = run_actor(read_actor(path), episode.states[0])
    np.testing.assert_allclose(episode.actions[0], [first[0], first[1] + 1], rtol=1e-5)
    noisy = collected(ControlBehavior(policy="actor", actor=path, noise=0.5))[1]
    assert (noisy.actions != episode.actions).any() and noisy.actions[:, 1].min() >= 0
    with pytest.raises(InputError, match="states of 3 numbers, this task has 5"):
        run_actor(read_actor(path), np.zeros(5, np.float32))
    path.write_bytes(b"")
    with pytest.raises(InputError, match="is no trained policy"):
        read_actor(path)


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
    with pytest.raises(ConfigurationError, match="set actor"):
        control_requests(config.model_copy(update={"behaviors": (ControlBehavior(policy="actor"),)}), FRAMES)


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
    monkeypatch.setitem(sys.modules, "dm_control", None)
    with pytest.raises(MissingExtraError, match=r"vidrep-pipelines\[robots\]"):
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
