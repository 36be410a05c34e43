"""The benchmark's own simulator, ``calvin_env``, behind the adapter; the user installs it: docs/calvin.md.

Nothing falls back silently: another renderer gives other pictures, and users have seen scores collapse.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.common.errors import ConfigurationError, MissingExtraError
from vidrep_pipelines.evaluation.calvin.oracle import Info

_MODULES = ("calvin_env", "hydra", "pybullet")
_INSTALL = (
    "Remedy: the simulator is in no package index. Clone https://github.com/mees/calvin_env, install it with "
    "pip install -e, and with it pybullet, gym, hydra-core, hydra-colorlog, numpy-quaternion and "
    "opencv-python-headless (docs/calvin.md); or evaluate in the miniature."
)
_CAMERAS = ("rgb_static", "rgb_gripper")


class SimulatorConfig(FrozenConfig):
    """Which of the simulator's scenes, and what renders it."""

    renderer: Literal["tiny", "egl"] = "tiny"
    """``tiny``: PyBullet's software renderer, about 20 control steps a second when every step is rendered.
    ``egl``: the EGL plugin, on a GPU where there is one; its textures are filtered a little differently."""

    scene: str = "calvin_scene_D"
    """Published numbers of ABC->D are of scene D."""

    configuration: UserPath | None = None
    """Folder of the simulator's configuration. None: ``conf`` beside its package."""

    configuration_name: str = "config_data_collection"
    """Which file in it, without its ending."""

    overrides: tuple[str, ...] = ()
    """More changes to it, in Hydra's notation."""


@dataclass(frozen=True)
class SimulatorMaker:
    """Makes simulators; see :class:`~vidrep_pipelines.evaluation.calvin.world.CalvinWorldMaker`.

    Attributes:
        config: Which of the simulator's scenes, and what renders it.
    """

    config: SimulatorConfig = field(default_factory=SimulatorConfig)

    @property
    def renderer(self) -> str:
        """``calvin_env/tiny`` or ``calvin_env/egl``."""
        return f"calvin_env/{self.config.renderer}"

    @property
    def identity(self) -> Mapping[str, Any]:
        """The configuration, but for where it lies."""
        return {"world": "calvin_env", **self.config.model_dump(exclude={"configuration"})}

    def make(self) -> "SimulatorWorld":
        """A fresh one.

        Raises:
            MissingExtraError: The simulator, or what it needs, is not installed.
            ConfigurationError: It cannot be built, or has no such renderer here.
        """
        modules = {name: _required(name) for name in _MODULES}
        if self.config.renderer == "egl":
            _require_egl(modules["pybullet"])
        environment = _built(modules["calvin_env"], self.config)
        uses = getattr(environment, "use_egl", None)
        if uses is not None and bool(uses) != (self.config.renderer == "egl"):
            raise ConfigurationError(
                f"calvin_env was asked to render by {self.config.renderer} and does not. Remedy: see what in "
                "simulator.overrides or in its configuration sets env.use_egl."
            )
        return SimulatorWorld(environment, self.renderer)


def _required(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"CALVIN's simulator needs {name}, which is not installed. {_INSTALL}"
        ) from error


def _require_egl(pybullet: ModuleType) -> None:
    """Tries the plugin in a client of its own, as PyBullet renders by software where it does not load."""
    spec = find_spec("eglRenderer")
    client = pybullet.connect(pybullet.DIRECT)
    try:
        place = spec.origin if spec is not None else "eglRendererPlugin"
        loaded = pybullet.loadPlugin(place, "_eglRendererPlugin", physicsClientId=client) >= 0
    finally:
        pybullet.disconnect(client)
    if not loaded:
        raise ConfigurationError(
            "simulator.renderer is egl, and PyBullet's EGL plugin does not load here. Remedy: install EGL "
            "(libegl1, and Mesa or the GPU's driver), or set simulator.renderer to tiny: pictures and "
            "numbers are others then."
        )


def _built(calvin_env: ModuleType, config: SimulatorConfig) -> Any:
    """The environment as its own configuration describes it."""
    hydra, utils = import_module("hydra"), import_module("hydra.utils")
    folder = config.configuration or Path(str(calvin_env.__file__)).resolve().parents[1] / "conf"
    if not folder.is_dir():
        raise ConfigurationError(
            f"calvin_env's configuration is not in {folder}. Remedy: install it by pip install -e from its "
            "clone, or name the folder in simulator.configuration."
        )
    overrides = [
        "cameras=static_and_gripper",
        f"scene={config.scene}",
        "use_vr=false",
        "~vr_input",
        f"env.use_egl={str(config.renderer == 'egl').lower()}",
        *config.overrides,
    ]
    try:
        with hydra.initialize_config_dir(config_dir=str(folder), version_base=None):
            composed = hydra.compose(config.configuration_name, overrides=overrides)
        return utils.instantiate(composed.env, show_gui=False, use_vr=False, use_scene_info=True)
    except Exception as error:
        raise ConfigurationError(
            f"calvin_env could not be built ({type(error).__name__}: {error}). Remedy: its folder must be a "
            "clone (it asks Git for its commit) with all its data; see docs/calvin.md."
        ) from error


class SimulatorWorld:
    """See :class:`~vidrep_pipelines.evaluation.calvin.world.CalvinWorld`.

    Args:
        environment: The simulator's environment.
        renderer: What renders it.
    """

    def __init__(self, environment: Any, renderer: str) -> None:
        self._environment, self._renderer = environment, renderer

    @property
    def renderer(self) -> str:
        """``calvin_env/tiny`` or ``calvin_env/egl``."""
        return self._renderer

    def reset(self, robot_obs: FloatArray, scene_obs: FloatArray) -> None:
        """Puts robot (15,) and scene (24,) where the numbers say."""
        with self._unseen():
            self._environment.reset(robot_obs=robot_obs, scene_obs=scene_obs)

    def step(self, action: FloatArray) -> None:
        """Executes a relative action (7,) without rendering, which takes most of the simulator's time."""
        with self._unseen():
            self._environment.step(action)

    def get_obs(self, *, pictures: bool) -> dict[str, Any]:
        """Numbers of robot and scene and, if asked for, both cameras' pictures."""
        if pictures:
            return _flat(self._environment.get_obs(), _CAMERAS)
        with self._unseen():
            return _flat(self._environment.get_obs(), ())

    def get_info(self) -> Info:
        """What success is told from."""
        info: Info = self._environment.get_info()
        return info

    def close(self) -> None:
        """Ends the simulation."""
        self._environment.close()

    @contextmanager
    def _unseen(self) -> Iterator[None]:
        """The environment renders with every observation: for a while it has no cameras.

        Raises:
            ConfigurationError: It keeps its cameras elsewhere than known.
        """
        if not hasattr(self._environment, "cameras"):
            raise ConfigurationError(
                "calvin_env's environment has no attribute cameras, so that it cannot be stepped without "
                "rendering. Remedy: use the version that docs/calvin.md names."
            )
        cameras, self._environment.cameras = self._environment.cameras, []
        try:
            yield
        finally:
            self._environment.cameras = cameras


def _flat(seen: Mapping[str, Any], cameras: tuple[str, ...]) -> dict[str, Any]:
    """Observations by name; the environment keeps pictures in a dictionary of their own."""
    pictures = seen.get("rgb_obs", seen)
    found = {name: np.asarray(pictures[name], np.uint8)[..., :3] for name in cameras}
    numbers = {name: np.asarray(seen[name], np.float64) for name in ("robot_obs", "scene_obs")}
    return {**found, **numbers}
