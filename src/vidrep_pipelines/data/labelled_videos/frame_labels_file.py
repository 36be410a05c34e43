"""The files of an index of labelled videos: a parquet table, and ragged labels in HDF5."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from vidrep_pipelines.common.atomic import atomic_directory
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.hdf5 import create_hdf5, open_hdf5
from vidrep_pipelines.data.labelled_videos.frame_labels import LabelledVideos

TABLE, LABELS = "videos.parquet", "frame_labels.h5"
_OFFSETS, _VALUES = "offset", "label"


def write_labelled_videos(folder: Path, videos: LabelledVideos) -> None:
    """Writes table and labels into a folder, which is replaced as a whole or not at all."""
    lengths = [len(values) for values in videos.labels]
    with atomic_directory(folder) as temporary:
        videos.table.to_parquet(temporary / TABLE, index=False, compression="zstd")
        with create_hdf5(temporary / LABELS) as file:
            file[_OFFSETS] = np.cumsum([0, *lengths], dtype=np.int64)
            file[_VALUES] = np.concatenate([np.zeros(0, np.int16), *videos.labels])


def read_labelled_videos(folder: Path) -> LabelledVideos:
    """Reads what :func:`write_labelled_videos` wrote.

    Raises:
        InputError: It is missing, damaged, or table and labels do not fit one another.
    """
    try:
        table = pd.read_parquet(folder / TABLE)
        with open_hdf5(folder / LABELS) as file:
            offsets, values = file[_OFFSETS][:], file[_VALUES][:]
    except (OSError, KeyError, pa.ArrowException) as error:
        raise InputError(
            f"{folder} holds no whole index of labelled videos ({error}). Run the pipeline that makes it."
        ) from error
    if len(offsets) != len(table) + 1 or (np.diff(offsets) != table["frames"].to_numpy()).any():
        raise InputError(f"{folder}: its table and its labels are not of the same videos. Make it again.")
    return LabelledVideos(table, tuple(np.split(values, offsets[1:-1])) if len(table) else ())
