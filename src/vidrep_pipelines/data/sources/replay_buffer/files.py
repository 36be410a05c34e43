"""A folder of replay buffers: its files, what is in each, and the episodes to prepare."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path, PurePosixPath

import pandas as pd

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.files.folders import LocalFolders
from vidrep_pipelines.data.files.listing import LISTING_COLUMNS, scan_videos
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.preparation import EpisodeRequest
from vidrep_pipelines.data.sources.replay_buffer.episode import ReplayBufferEpisode, buffer_facts

SUFFIXES = (".hdf5", ".h5", ".npz")
FILE_COLUMNS = ["id", "path", "bytes", "mtime_ns"]
_KIND = ["height", "width", "actions"]


def list_buffers(root: Path) -> pd.DataFrame:
    """One row per file below the folder, in any depth: id, path (absolute), bytes, mtime_ns.

    Raises:
        InputError: There is no such folder, or no replay buffer in it.
    """
    listing = pd.DataFrame(scan_videos(LocalFolders(root), SUFFIXES), columns=list(LISTING_COLUMNS))
    if listing.empty:
        raise InputError(
            f"dmc.replay_buffer: there is no replay buffer below {root} (looked for {', '.join(SUFFIXES)}). "
            "Remedy: name the folder of V-D4RL's files."
        )
    paths = [str(root.absolute() / path) for path in listing["path"]]
    return listing.assign(path=paths)[FILE_COLUMNS]


def read_facts_item(path: str, outputs: Mapping[str, Path]) -> dict[str, str | int]:
    """What is in a file, as one row of a manifest: episodes (JSON text), height, width, actions.

    Raises:
        InputError: The file is no whole replay buffer.
    """
    del outputs
    facts = buffer_facts(Path(path))
    return {**asdict(facts), "episodes": json.dumps(facts.episodes)}


def buffer_requests(listing: pd.DataFrame, facts: pd.DataFrame, frames: FramesConfig) -> list[EpisodeRequest]:
    """One request per episode of the readable files.

    Args:
        listing: One row per file: id, path, bytes, mtime_ns; the id becomes the beginning of the names.
        facts: Manifest of :func:`read_facts_item`: id, status, error, episodes, height, width, actions.
        frames: How their frames are prepared.

    Raises:
        InputError: No file can be read, or files do not belong together.
    """
    readable = facts[facts["status"] == "ok"]
    if readable.empty:
        raise InputError(f"None of {len(facts)} replay buffers can be read. {facts['error'].iloc[0]}")
    _check_kind(readable)
    requests: list[EpisodeRequest] = []
    columns = [*FILE_COLUMNS, "episodes"]
    rows = listing.merge(readable[["id", "episodes"]], on="id")[columns].itertuples(index=False, name=None)
    for name, path, size, time, text in rows:
        episodes = json.loads(text)
        stamp, group = f"{size}-{time}", _group(name, len(episodes))
        for number, (start, stop) in enumerate(episodes):
            trajectory = f"{name}_{number:04d}" if len(episodes) > 1 else name
            source = ReplayBufferEpisode(trajectory, Path(path), start, stop, group, stamp)
            requests.append(EpisodeRequest(source, frames))
    return requests


def _group(name: str, episodes: int) -> str:
    """What a file's episodes are reported under: its folder, or itself if it holds several and is in none."""
    path = PurePosixPath(name)
    if path.parent.name:
        return str(path.parent)
    return path.name if episodes > 1 else "episodes"


def _check_kind(facts: pd.DataFrame) -> None:
    """Raises if sizes of pictures or actions differ: those are different tasks, or different renderings."""
    kinds = facts.groupby(_KIND)["id"].agg(["size", "first"]).reset_index()
    if len(kinds) > 1:
        rows = kinds.itertuples(index=False, name=None)
        sizes = [
            f"{height}x{width} pictures and {actions} numbers per action in {count} files, such as {example}"
            for height, width, actions, count, example in rows
        ]
        raise InputError(
            f"dmc.replay_buffer: the episodes are of different sizes: {'; '.join(sizes)}. Remedy: name a "
            "folder with files of one kind only."
        )
