import os

import pytest

from vidrep_pipelines.data.sources import headless_rendering
from vidrep_pipelines.data.sources.headless_rendering import choose_renderer


@pytest.mark.parametrize(
    ("installed", "chosen"),
    [(("EGL", "OSMesa"), "egl"), (("OSMesa",), "osmesa"), ((), None)],
)
def test_egl_is_preferred_to_osmesa(
    installed: tuple[str, ...], chosen: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MUJOCO_GL", "PYOPENGL_PLATFORM", "LP_NUM_THREADS"):
        monkeypatch.setenv(name, "")  # so that what is set below is taken back
        monkeypatch.delenv(name)
    monkeypatch.setattr(headless_rendering.sys, "platform", "linux")
    monkeypatch.setattr(headless_rendering, "find_library", lambda name: name if name in installed else None)
    choose_renderer()
    assert os.environ.get("MUJOCO_GL") == os.environ.get("PYOPENGL_PLATFORM") == chosen


@pytest.mark.parametrize(("name", "value"), [("linux", "glfw"), ("darwin", None)])
def test_what_the_user_or_the_system_chose_is_left_alone(
    name: str, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUJOCO_GL", value or "")
    if value is None:
        monkeypatch.delenv("MUJOCO_GL")
    monkeypatch.setattr(headless_rendering.sys, "platform", name)
    monkeypatch.setattr(headless_rendering, "find_library", lambda name: name)
    choose_renderer()
    assert os.environ.get("MUJOCO_GL") == value
