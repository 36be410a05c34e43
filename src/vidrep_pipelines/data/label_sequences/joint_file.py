"""JHMDB's ``joint_positions.mat``."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat, savemat

from vidrep_pipelines.common.errors import InputError

JOINT_FILE = "joint_positions.mat"
_POSITIONS = "pos_img"


def read_joints(path: Path) -> NDArray[np.float64]:
    """Joint positions (2, K, T): x and y in pixels counted from 1, which may lie outside the image.

    Raises:
        InputError: The file is missing or damaged, or has no such array, or not only finite numbers.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing. Remedy: unpack joint_positions.zip of JHMDB beside the images.")
    try:
        content = loadmat(path, variable_names=[_POSITIONS])
    except Exception as error:  # a damaged file can raise nearly anything; nothing in it is executed
        raise InputError(f"{path} is no readable .mat file ({error}). Remedy: unpack it again.") from error
    positions = np.asarray(content.get(_POSITIONS, ()))
    if positions.ndim != 3 or len(positions) != 2 or positions.dtype.kind not in "fiu":
        raise InputError(f"{path} has no array {_POSITIONS} of shape (2, joints, frames). Unpack it again.")
    if not np.isfinite(positions).all():
        raise InputError(f"{path}: not every position in {_POSITIONS} is a finite number.")
    return positions.astype(np.float64)


def write_joints(path: Path, positions: NDArray[np.floating]) -> None:
    """Writes positions (2, K, T) as the published files hold them."""
    savemat(path, {_POSITIONS: positions.astype(np.float64)}, do_compression=True)
