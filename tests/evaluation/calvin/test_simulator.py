import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vidrep_pipelines.common.errors import ConfigurationError, MissingExtraError
from vidrep_pipelines.evaluation.calvin.check import check_world
from vidrep_pipelines.evaluation.calvin.miniature import MiniatureConfig, MiniatureWorld
from vidrep_pipelines.evaluation.calvin.miniature_expert import MiniatureExpert
from vidrep_pipelines.evaluation.calvin.recordings import expert_recordings
from vidrep_pipelines.evaluation.calvin.simulator import SimulatorConfig, SimulatorMaker
from vidrep_pipelines.evaluation.calvin.tasks import calvin_task
from vidrep_pipelines.evaluation.calvin.world import CalvinEnvironment
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.evaluation.rollouts.engine import RolloutRules, roll_out_episodes
from vidrep_pipelines.evaluation.rollouts.protocol import EpisodeStart


class FakeEnvironment:
    """Looks like calvin_env's environment, with the miniature inside."""

    def __init__(self, use_egl: bool) -> None:
        self.use_egl, self.cameras = use_egl, ["static", "gripper"]
        self.world, self.rendered, self.closed = MiniatureWorld(MiniatureConfig()), 0, False

    def reset(self, robot_obs: Any = None, scene_obs: Any = None) -> dict[str, Any]:
        self.world.reset(robot_obs, scene_obs)
        return self.get_obs()

    def get_obs(self) -> dict[str, Any]:
        seen = self.world.get_obs(pictures=True)
        self.rendered += len(self.cameras)
        shown = {f"rgb_{name}": seen[f"rgb_{name}"] for name in self.cameras}
        return {
            "rgb_obs": shown,
            "depth_obs": {},
            **{name: seen[name] for name in ("robot_obs", "scene_obs")},
        }

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, dict[str, Any]]:
        self.world.step(action)
        return self.get_obs(), 0.0, False, self.get_info()

    def get_info(self) -> dict[str, Any]:
        return dict(self.world.get_info())

    def close(self) -> None:
        self.closed = True


class Installed:
    """What a user has installed: modules that record how they were called."""

    def __init__(self, folder: Path) -> None:
        self.overrides: list[str] = []
        self.arguments: dict[str, Any] = {}
        self.made: list[FakeEnvironment] = []
        self.plugin, self.ignores_egl = 0, False
        (folder / "calvin_env").mkdir()
        (folder / "conf").mkdir()
        calvin, hydra, utils, bullet = (
            ModuleType(name) for name in ("calvin_env", "hydra", "hydra.utils", "pybullet")
        )
        calvin.__file__ = str(folder / "calvin_env" / "__init__.py")
        hydra.initialize_config_dir, hydra.compose = self._initialize, self._compose  # type: ignore[attr-defined]
        utils.instantiate = self._instantiate  # type: ignore[attr-defined]
        bullet.DIRECT, bullet.connect, bullet.disconnect = 2, lambda mode: 0, lambda client: None  # type: ignore[attr-defined]
        bullet.loadPlugin = lambda *place, physicsClientId: self.plugin  # type: ignore[attr-defined]
        self.modules = {module.__name__: module for module in (calvin, hydra, utils, bullet)}

    @contextmanager
    def _initialize(self, config_dir: str, version_base: object):  # type: ignore[no-untyped-def]
        self.folder = config_dir
        yield

    def _compose(self, name: str, overrides: list[str]) -> SimpleNamespace:
        self.name, self.overrides = name, overrides
        return SimpleNamespace(env={"use_egl": "env.use_egl=true" in overrides and not self.ignores_egl})

    def _instantiate(self, env: dict[str, Any], **arguments: Any) -> FakeEnvironment:
        self.arguments = arguments
        self.made.append(FakeEnvironment(**env))
        return self.made[-1]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    made = Installed(tmp_path)
    for name, module in made.modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return made


def test_a_missing_simulator_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "calvin_env", None)
    with pytest.raises(MissingExtraError, match=r"needs calvin_env.*in no package index.*docs/calvin.md"):
        SimulatorMaker().make()


def test_the_simulator_is_built_from_its_own_configuration(installed: Installed, tmp_path: Path) -> None:
    world = SimulatorMaker(SimulatorConfig(overrides=("env.seed=1",))).make()
    assert (installed.folder, installed.name) == (str(tmp_path / "conf"), "config_data_collection")
    assert {"cameras=static_and_gripper", "scene=calvin_scene_D", "env.use_egl=false", "env.seed=1"} <= set(
        installed.overrides
    )
    assert installed.arguments == {"show_gui": False, "use_vr": False, "use_scene_info": True}
    assert world.renderer == "calvin_env/tiny"


def test_nothing_is_rendered_unless_pictures_are_asked_for(installed: Installed) -> None:
    world = SimulatorMaker().make()
    [environment] = installed.made
    world.reset(np.zeros(15), np.zeros(24))
    world.step(np.zeros(7))
    assert set(world.get_obs(pictures=False)) == {"robot_obs", "scene_obs"}
    assert environment.rendered == 0 and environment.cameras == ["static", "gripper"]
    assert world.get_obs(pictures=True)["rgb_static"].shape == (32, 32, 3)
    assert environment.rendered == 2
    world.close()
    assert environment.closed


def test_cameras_come_back_after_an_error(installed: Installed) -> None:
    world = SimulatorMaker().make()
    installed.made[0].world.step = lambda action: 1 / 0  # type: ignore[method-assign,assignment]
    with pytest.raises(ZeroDivisionError):
        world.step(np.zeros(7))
    assert installed.made[0].cameras == ["static", "gripper"]


def test_an_environment_without_cameras_is_refused(installed: Installed) -> None:
    world = SimulatorMaker().make()
    del installed.made[0].cameras
    with pytest.raises(ConfigurationError, match="no attribute cameras"):
        world.step(np.zeros(7))


def test_the_renderer_never_falls_back(installed: Installed) -> None:
    egl = SimulatorMaker(SimulatorConfig(renderer="egl"))
    assert egl.make().renderer == "calvin_env/egl"
    installed.ignores_egl = True
    with pytest.raises(ConfigurationError, match="asked to render by egl and does not"):
        egl.make()
    installed.plugin = -1
    with pytest.raises(ConfigurationError, match="EGL plugin does not load"):
        egl.make()
    assert egl.identity != SimulatorMaker().identity and egl.renderer != SimulatorMaker().renderer


def test_a_failed_construction_has_a_remedy(installed: Installed, tmp_path: Path) -> None:
    installed._instantiate = lambda *_, **__: 1 / 0  # type: ignore[method-assign,assignment]
    installed.modules["hydra.utils"].instantiate = installed._instantiate  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match=r"could not be built \(ZeroDivisionError.*clone"):
        SimulatorMaker().make()
    (tmp_path / "conf").rmdir()
    with pytest.raises(ConfigurationError, match=r"configuration is not in .*simulator.configuration"):
        SimulatorMaker().make()


def test_a_policy_acts_in_it(installed: Installed) -> None:
    task = calvin_task("open_drawer")
    start = EpisodeStart("e", task.name, task.instruction)
    [record] = roll_out_episodes(
        [start],
        lambda: CalvinEnvironment(SimulatorMaker().make()),
        MiniatureExpert(),
        RolloutRules(RolloutConfig(), "settings"),
        batch=1,
    )
    assert record.success and record.renderer == "calvin_env/tiny"
    assert installed.made[0].rendered == 2 * record.plans


def test_it_is_checked_before_a_long_run(installed: Installed) -> None:
    facts = check_world(SimulatorMaker(), expert_recordings([calvin_task("open_drawer")]))
    assert facts.renderer == "calvin_env/tiny" and (facts.replayed, facts.succeeded) == (1, 1)
    assert all(environment.closed for environment in installed.made)
