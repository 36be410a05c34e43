"""What simulators on MuJoCo render with where there is no screen."""

import os
import sys
from ctypes.util import find_library

HOW_TO_RENDER = (
    "Remedy: set MUJOCO_GL=egl before the start (Debian: libegl1 libegl-mesa0 libgl1-mesa-dri), or "
    "MUJOCO_GL=osmesa with PYOPENGL_PLATFORM=osmesa (libosmesa6)."
)


def choose_renderer() -> None:
    """Sets ``MUJOCO_GL`` to ``egl``, else to ``osmesa``, whichever is installed.

    Has to be called before MuJoCo is imported. What the user set is left alone, and where there is neither,
    MuJoCo looks for a screen.
    """
    if "MUJOCO_GL" in os.environ or not sys.platform.startswith("linux"):
        return
    os.environ.setdefault("LP_NUM_THREADS", "1")  # of the software renderer: there is a process per core
    for name, library in (("egl", "EGL"), ("osmesa", "OSMesa")):
        if find_library(library):
            os.environ["MUJOCO_GL"] = os.environ["PYOPENGL_PLATFORM"] = name
            return
