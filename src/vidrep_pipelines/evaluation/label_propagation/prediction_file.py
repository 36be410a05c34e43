"""What propagation found in one sequence, as a compressed file."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.hdf5 import create_hdf5, open_hdf5

PREDICTION_SUFFIX = ".h5"
_LABELS, _JOINTS, _GRID = "labels", "joints", "grid"


def write_label_maps(path: Path, maps: Iterable[Pixels]) -> int:
    """Writes label maps (H, W) as they come and returns how many there were; each is compressed by itself."""
    count = 0
    with create_hdf5(path) as file:
        stored: h5py.Dataset | None = None
        for labels in maps:
            if stored is None:
                stored = file.create_dataset(
                    _LABELS,
                    shape=(0, *labels.shape),
                    maxshape=(None, *labels.shape),
                    chunks=(1, *labels.shape),
                    dtype=np.uint8,
                    compression="gzip",
                    compression_opts=4,
                )
            stored.resize(count + 1, axis=0)
            stored[count] = labels
            count += 1
    return count


def read_label_maps(path: Path) -> Pixels:
    """Label maps (T, H, W).

    Raises:
        InputError: The file is gone or damaged.
    """
    maps: Pixels = _read(path, _LABELS)
    return maps


def write_joint_tracks(path: Path, tracks: "JointTracks") -> None:
    """Writes positions and the grid that they are on."""
    with create_hdf5(path) as file:
        stored = file.create_dataset(_JOINTS, data=tracks.positions, compression="gzip")
        stored.attrs[_GRID] = tracks.grid


@dataclass(frozen=True)
class JointTracks:
    """Positions of joints in a sequence."""

    positions: NDArray[np.float32]
    """(2, K, T) as (x, y) in cells; -1, -1 where a joint was lost."""
    grid: tuple[int, int]
    """Rows and columns."""


def read_joint_tracks(path: Path) -> JointTracks:
    """Reads what ``write_joint_tracks`` wrote.

    Raises:
        InputError: The file is gone or damaged.
    """
    positions: NDArray[np.float32] = _read(path, _JOINTS)
    with open_hdf5(path) as file:
        rows, columns = (int(side) for side in file[_JOINTS].attrs[_GRID])
    return JointTracks(positions, (rows, columns))


def _read(path: Path, name: str) -> Any:
    try:
        with open_hdf5(path) as file:
            content = file[name][...]
    except (OSError, KeyError) as error:
        raise InputError(
            f"{path} holds no {name} ({error}). Remedy: delete it and run the pipeline again."
        ) from error
    return content
