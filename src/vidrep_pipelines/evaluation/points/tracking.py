"""Points carried through a video by an encoder's features.

The label of a point is one, shared out among the four cells around it so that their weighted mean is the
point itself. It is carried like any other label, and read off around the cell that has most of it; how much
of it is left there says whether the point can still be seen.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidrep_pipelines.common.arrays import FloatArray, Pixels
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.hdf5 import create_hdf5, open_hdf5
from vidrep_pipelines.evaluation.encoders.protocol import Encoder
from vidrep_pipelines.evaluation.label_propagation.config import PropagationConfig
from vidrep_pipelines.evaluation.label_propagation.frame_features import frame_features
from vidrep_pipelines.evaluation.label_propagation.preprocessing import network_size
from vidrep_pipelines.evaluation.label_propagation.propagate import propagate
from vidrep_pipelines.evaluation.points.config import PointTrackingConfig
from vidrep_pipelines.evaluation.points.queries import PointQueries
from vidrep_pipelines.training.precision import usable_precision

TRACKS_SUFFIX = ".h5"
_POSITIONS, _PRESENCE = "positions", "presence"


@dataclass(frozen=True)
class PointTracks:
    """What was found for Q queries in T frames.

    Attributes:
        positions: (Q, T, 2) x and y as shares of width and height. Where nobody looked, the query's own.
        presence: (Q, T) how much of the point's label is near that position, 0..1.
    """

    positions: NDArray[np.float32]
    presence: NDArray[np.float32]


def usable_on(config: PointTrackingConfig, device: torch.device) -> PointTrackingConfig:
    """The same, with float32 where the device would only emulate bfloat16."""
    precision = usable_precision(device, config.propagation.precision)
    propagation = config.propagation.model_copy(update={"precision": precision})
    return config.model_copy(update={"propagation": propagation})


def video_features(
    frames: Iterable[Pixels], encoder: Encoder, config: PointTrackingConfig, device: torch.device
) -> Tensor:
    """Features (T, D, h, w) of all frames (H, W, 3) of a video, on the device."""
    pictures = list(frames)
    height, width = pictures[0].shape[:2]
    size = network_size(height, width, config.frame_size, encoder.stride)
    settings = config.run_settings
    return torch.stack(
        list(frame_features(pictures, encoder, size, settings, device, config.frames_per_batch))
    )


@torch.no_grad()
def follow_points(
    features: Tensor, queries: PointQueries, given: FloatArray, config: PointTrackingConfig
) -> PointTracks:
    """Follows every query through a video.

    Args:
        features: (T, D, h, w).
        queries: Which frame each is given in.
        given: (Q, 2) positions there, as shares of width and height.
        config: How.

    Raises:
        FeatureError: Features that are not numbers.
    """
    length = len(features)
    positions = np.repeat(given[:, None], length, axis=1).astype(np.float32)
    presence = np.zeros((len(queries), length), np.float32)
    for start in np.unique(queries.frames).tolist():
        asked = np.flatnonzero(queries.frames == start)
        directions = [range(start, length)]
        directions += [range(start, -1, -1)] if queries.backward else []
        for order in directions:
            found = _followed(features, order, given[asked], config.propagation, config.peak_radius)
            positions[asked[:, None], list(order)] = found.positions
            presence[asked[:, None], list(order)] = found.presence
    return PointTracks(positions, presence)


def _followed(
    features: Tensor, order: range, given: FloatArray, config: PropagationConfig, peak_radius: float
) -> PointTracks:
    """Tracks of points (Q, 2) that are given in the first frame of an order of frames."""
    first = stamp_points(given, *features.shape[-2:]).to(features.device)
    former = torch.from_numpy(given).to(features.device, torch.float32)
    positions, presence = [], []
    for soft in propagate((features[frame] for frame in order), first, config):
        places, there = locate_points(soft, peak_radius)
        former = torch.where(there[:, None] > 0, places, former)  # what is lost stays where it was last seen
        positions.append(former)
        presence.append(there)
    return PointTracks(
        torch.stack(positions, dim=1).cpu().numpy(), torch.stack(presence, dim=1).cpu().numpy()
    )


def stamp_points(positions: FloatArray, height: int, width: int) -> Tensor:
    """Label maps (Q, height, width) of points: bilinear shares of one, on a grid of cells.

    Args:
        positions: (Q, 2) x and y as shares; what is nearer to the border than the outermost centers of cells
            is put on these.
        height: Rows of the grid.
        width: Columns of the grid.
    """
    maps = np.zeros((len(positions), height, width), np.float32)
    cells = positions * (width, height) - 0.5
    cells = np.clip(cells, 0, (width - 1, height - 1))
    low = np.floor(cells).astype(np.int64)
    share = cells - low
    rows = np.arange(len(positions))
    for step_x in (0, 1):
        for step_y in (0, 1):
            weight = np.abs(1 - step_x - share[:, 0]) * np.abs(1 - step_y - share[:, 1])
            column = np.minimum(low[:, 0] + step_x, width - 1)
            row = np.minimum(low[:, 1] + step_y, height - 1)
            maps[rows, row, column] += weight.astype(np.float32)
    return torch.from_numpy(maps)


def locate_points(soft: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """Where labels (Q, h, w) have their points.

    Args:
        soft: Soft labels.
        radius: Cells around the best one that count.

    Returns:
        Positions (Q, 2) as shares of width and height, and the sum (Q,) of the label that they are the
        weighted mean of; of a label that is nowhere any position, and 0.
    """
    height, width = soft.shape[-2:]
    flat = soft.flatten(1)
    best = flat.argmax(dim=1)
    rows, columns = (axis.flatten() for axis in _grid(height, width, soft.device))
    near = (rows - rows[best, None]) ** 2 + (columns - columns[best, None]) ** 2 <= radius**2
    weights = flat * near
    total = weights.sum(dim=1)
    scale = torch.where(total > 0, total, 1.0)
    x, y = ((weights @ axis) / scale for axis in (columns, rows))
    return torch.stack([(x + 0.5) / width, (y + 0.5) / height], dim=1), total


def _grid(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=torch.float32, device=device),
        torch.arange(width, dtype=torch.float32, device=device),
        indexing="ij",
    )
    return rows, columns


def write_point_tracks(path: Path, tracks: dict[str, PointTracks]) -> None:
    """Writes what was found, by the name of the queries."""
    with create_hdf5(path) as file:
        for mode, found in tracks.items():
            group = file.create_group(mode)
            group.create_dataset(_POSITIONS, data=found.positions, compression="gzip")
            group.create_dataset(_PRESENCE, data=found.presence, compression="gzip")


def read_point_tracks(path: Path) -> dict[str, PointTracks]:
    """Reads what ``write_point_tracks`` wrote.

    Raises:
        InputError: The file is gone or damaged.
    """
    try:
        with open_hdf5(path) as file:
            return {
                mode: PointTracks(group[_POSITIONS][...], group[_PRESENCE][...])
                for mode, group in file.items()
            }
    except (OSError, KeyError) as error:
        raise InputError(
            f"{path} holds no tracks ({error}). Remedy: delete it and run the pipeline again."
        ) from error
