"""JHMDB's ``joint_positions.mat``, as published or saved again by another version of MATLAB."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_file import disguise_of
from vidrep_pipelines.common.mat_file import read_mat
from vidrep_pipelines.data.hdf5 import open_foreign_hdf5

JOINT_FILE = "joint_positions.mat"
_POSITIONS = "pos_img"
_REMEDY = "Remedy: unpack joint_positions.zip of JHMDB again."
_FLATTENED = (
    "MATLAB's version 4 has no arrays of three dimensions, and in which order it lists joints and frames "
    "cannot be known: save the original with -v7 or -v7.3. "
)
_MOST_NUMBERS = 10_000_000
_HDF5_ERRORS = (OSError, KeyError, RuntimeError, ValueError, TypeError)


def read_joints(path: Path) -> NDArray[np.float64]:
    """Joint positions (2, K, T): x and y in pixels counted from 1, which may lie outside the image.

    Both are NaN where a joint has no position: nobody could see it. Files of MATLAB's versions 5 to 7.3 are
    read; version 4 knows no arrays of three dimensions.

    Raises:
        InputError: The file is missing or damaged, or has no such array, or a position that is infinite, or
            none that is a number.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing. Remedy: unpack joint_positions.zip of JHMDB beside the images.")
    if disguise := disguise_of(path):
        raise InputError(f"{path} is no .mat file: {disguise}")
    stored = np.asarray(_stored_in_hdf5(path) if h5py.is_hdf5(path) else _stored(path))
    if stored.ndim != 3 or len(stored) != 2 or stored.dtype.kind not in "fiu":
        flat = f", but one of {stored.shape}. {_FLATTENED}" if stored.ndim == 2 and stored.size else ". "
        raise InputError(f"{path} has no array {_POSITIONS} of shape (2, joints, frames){flat}{_REMEDY}")
    positions = stored.astype(np.float64)
    missing = np.isnan(positions).any(axis=0)
    if np.isinf(positions).any() or missing.all():
        raise InputError(
            f"{path}: {_POSITIONS} must hold finite numbers, and NaN where a joint is missing. {_REMEDY}"
        )
    positions[:, missing] = np.nan
    return positions


def write_joints(path: Path, positions: NDArray[np.floating]) -> None:
    """Writes positions (2, K, T) as the published files hold them."""
    savemat(path, {_POSITIONS: positions.astype(np.float64)}, do_compression=True)


def _stored(path: Path) -> Any:
    """The array of a file of version 4, 5, 6 or 7; nothing if it has none."""
    try:
        stored = read_mat(path, _POSITIONS)
        return () if stored is None else stored
    except Exception as error:  # a damaged file can raise nearly anything; nothing in it is executed
        raise InputError(f"{path} is no readable .mat file ({error}). {_REMEDY}") from error


def _stored_in_hdf5(path: Path) -> Any:
    """The array of a file of version 7.3, which has the axes of all arrays the other way round."""
    try:
        with open_foreign_hdf5(path) as file:
            node = file.get(_POSITIONS)
            if not isinstance(node, h5py.Dataset) or node.size is None or node.size > _MOST_NUMBERS:
                return ()
            return node[...].transpose()
    except _HDF5_ERRORS as error:
        raise InputError(f"{path} is no readable .mat file ({error}). {_REMEDY}") from error
