"""Which trajectories of RoboNet, or which videos in their place, are prepared for a frame store."""

import random
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.common.suggestions import warn_of_absent
from vidrep_pipelines.data.files.listing import Listing, list_videos
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest
from vidrep_pipelines.data.frame_store.split import subsample
from vidrep_pipelines.data.frame_store.video_episode import VideoEpisode
from vidrep_pipelines.data.sources.robonet.config import RoboNetConfig
from vidrep_pipelines.data.sources.robonet.trajectory import RoboNetTrajectory

SUFFIX = ".hdf5"


def list_trajectory_files(root: Path) -> Listing:
    """Lists them; their names without ``.hdf5`` are the ids.

    Raises:
        InputError: There is no such folder, or no file of this kind below it.
    """
    if not root.is_dir():
        raise InputError(f"robonet.root: {root} is no folder. Correct the parameter, or VIDREP_ROBONET.")
    try:
        return list_videos(root, (SUFFIX,))
    except InputError as error:
        raise InputError(
            f"robonet.root: there is no {SUFFIX} file below {root}. Remedy: unpack RoboNet's archive there, "
            "or set the parameter to the folder that holds its trajectories."
        ) from error


def trajectory_requests(
    listing: pd.DataFrame, metadata: pd.DataFrame, config: RoboNetConfig, frames: FramesConfig
) -> list[EpisodeRequest]:
    """Selects trajectories by robot and number.

    Args:
        listing: One row per file: id, path, bytes, mtime_ns.
        metadata: One row per file whose header was read: id, status, robot.
        config: The selection, and how files are read.
        frames: How their frames are prepared.

    Returns:
        One request per trajectory, sorted by file name. Files whose header cannot be read are left out: the
        metadata job has recorded why.

    Raises:
        ConfigurationError: No readable file is of one of these robots.
    """
    readable = metadata[metadata["status"] == "ok"]
    if config.robots:
        warn_of_absent("robonet.robots", config.robots, set(readable["robot"]))
        readable = readable[readable["robot"].isin(config.robots)]
    usable = listing[listing["id"].isin(readable["id"])]
    if usable.empty:
        present = sorted(set(metadata.get("robot", pd.Series(dtype=str)).dropna()))
        raise ConfigurationError(
            f"robonet: of {len(listing)} files none is readable and of the robots {config.robots or 'all'}; "
            f"there are {present or 'no readable files'}."
        )
    files = sorted(usable[["id", "path", "bytes", "mtime_ns"]].itertuples(index=False, name=None), key=_name)
    if config.trajectories is not None:
        files = sorted(subsample(files, config.trajectories, random.Random(config.seed)), key=_name)
    return [EpisodeRequest(_trajectory(config, *file), frames) for file in files]


class RenderedVideo(NamedTuple):
    """A video that was rendered, so that its states and actions are known.

    Attributes:
        path: The video.
        controls: File of its states and actions.
        digest: What it was made from.
    """

    path: Path
    controls: Path
    digest: str


def video_requests(
    files: pd.DataFrame, readable: Set[str], rendered: Mapping[str, RenderedVideo], frames: FramesConfig
) -> list[EpisodeRequest]:
    """One request per video that could be opened.

    Args:
        files: One row per file: id, class_name, path, bytes, mtime_ns, etag.
        readable: Ids of those that could be opened.
        rendered: Rendered videos by id: those among the files have their states and actions beside them.
        frames: How frames are prepared.

    Raises:
        ConfigurationError: No file could be opened.
    """
    usable = files[files["id"].isin(readable)]
    if usable.empty:
        raise ConfigurationError(
            f"None of {len(files)} videos can be opened; the table of failures in the log says why. Remedy: "
            "set ingest.root to a folder of videos."
        )
    return [EpisodeRequest(_video(row, rendered.get(row["id"])), frames) for row in usable.to_dict("records")]


def _video(row: dict[Any, Any], rendered: RenderedVideo | None) -> VideoEpisode:
    """What a rendered clip was made from identifies it, wherever it lies and whenever it was written."""
    path = Path(row["path"])
    if rendered is not None and path == rendered.path:
        controls, stamp = rendered.controls, rendered.digest
    else:
        controls, stamp = None, row["etag"] or f"{row['bytes']}-{row['mtime_ns']}"
    return VideoEpisode(row["id"], path, robot=row["class_name"], controls=controls, stamp=stamp)


def _name(file: tuple[str, str, int, int]) -> str:
    return Path(file[1]).name


def _trajectory(config: RoboNetConfig, name: str, path: str, size: int, mtime_ns: int) -> RoboNetTrajectory:
    return RoboNetTrajectory(
        trajectory=name,
        path=Path(path),
        stamp=f"{size}-{mtime_ns}",
        cameras=config.cameras,
        jpeg_colors=config.colors_of(name),
        state_numbers=config.state_numbers,
        action_numbers=config.action_numbers,
    )
