"""Where the inputs are that failed once, and how they are made."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import VidrepError

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "make.py"
STOPPED = (VidrepError, DatasetError)
"""What stops a run: an error of the project, as it is or on its way through a dataset."""

_BITS = 8


def cases_folder() -> Path:
    """The folder of all cases, which need not be there."""
    return Path(os.environ.get("VIDREP_CASES_DIR", ROOT.parent / "shared" / "cases"))


def make(case: str, folder: Path, *arguments: str) -> Path:
    """Lets the script of a case make its input in ``folder``, and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    script = cases_folder().resolve() / case / SCRIPT
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    made = subprocess.run(
        [sys.executable, str(script), str(folder), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if made.returncode:
        pytest.fail(f"{script} failed:\n{made.stderr[-3000:]}")
    return folder


def numbers(frames: NDArray[np.uint8]) -> list[int]:
    """The number of each frame (T, H, W, 3), which the scripts draw as eight blocks into its lower half."""
    height, width = frames.shape[1:3]
    rows = frames[:, height * 5 // 8 : height * 7 // 8].mean(axis=(1, 3))
    bright = rows[:, ((np.arange(_BITS) + 0.5) * width / _BITS).astype(int)] > 128
    powers = 1 << np.arange(_BITS)[::-1]
    return [int(number) for number in bright @ powers]
