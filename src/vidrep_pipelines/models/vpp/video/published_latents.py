"""Latents in the layout that the authors published: one ``.pt`` file per episode and camera.

``<folder>/<name>/latent_videos/<split>/<id>/<camera>.pt``, float32 (T, C, h, w) with the autoencoder's scale,
beside ``<folder>/<name>/annotation/<split>/<id>.json``. Some releases call the folder ``latent_videos_svd``.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.progress import Progress
from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.models.shared.weight_file import read_content

_FOLDERS = ("latent_videos", "latent_videos_svd")
_SPLITS = {"train": "train", "validation": "val", "test": "test"}


def published_latent_file(folder: Path, trajectory: str, camera: int) -> Path | None:
    """The published latents of a view, or none.

    Args:
        folder: Holds the data sets.
        trajectory: ``<name>/<split>/<id>``, as the reader of the published layout calls it.
        camera: The camera's number; that of a source without numbers is 0.
    """
    name, *parts = trajectory.split("/")
    if not parts:
        return None
    paths = (folder / name / kind / Path(*parts) / f"{max(camera, 0)}.pt" for kind in _FOLDERS)
    return next((path for path in paths if path.is_file()), None)


def file_stamp(path: Path) -> str:
    """Changes when a file is written anew; its bytes are not read."""
    facts = path.stat()
    return f"{facts.st_size}-{facts.st_mtime_ns}"


def read_latent_file(path: Path, frames: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The latents of the first frames of a view; nothing in the file is executed.

    Args:
        path: The file.
        frames: How many.
        shape: (C, h, w) of each.

    Returns:
        (frames, C, h, w).

    Raises:
        InputError: The file is damaged or holds something else, or latents of another size or fewer frames.
    """
    content = read_content(path)
    if not isinstance(content, torch.Tensor) or not content.is_floating_point():
        raise InputError(f"{path} holds no latents but a {type(content).__name__}.")
    if content.ndim != 4 or tuple(content.shape[1:]) != tuple(shape):
        raise InputError(
            f"{path} has latents {tuple(content.shape)}, the codec and the frames ask for (T, "
            f"{', '.join(map(str, shape))}). Remedy: store frames of the size that they were made "
            "of (256 pixels) and name the codec that made them, or leave out "
            "video_latents.extraction.published."
        )
    if len(content) < frames:
        raise InputError(
            f"{path} has latents of {len(content)} frames, the video has {frames}. Remedy: copy both again."
        )
    latents: NDArray[np.float32] = content[:frames].float().numpy()
    return latents


class ExportedEpisode(NamedTuple):
    """An episode in the published layout."""

    name: str
    """The data set's name."""
    split: str
    """``train``, ``val`` or ``test``."""
    id: str
    """The file's name."""
    views: list[str]
    """The store's names of its views, by camera."""


def write_published_latents(latents: FrameArrayStore, folder: Path, array: str = "latents") -> dict[str, Any]:
    """Writes all latents of a store, with annotations; what is there and the same is left alone.

    Cameras are numbered from 0 in their order. States and actions are written where they are known.

    Args:
        latents: The latents beside their frames.
        folder: Where the data sets go.
        array: Name of the array.

    Returns:
        How many episodes and files there are in all, by data set.

    Raises:
        InputError: An episode has no instruction, or a shard is damaged.
    """
    counts: dict[str, Any] = {}
    episodes = list(_episodes(latents))
    with Progress(len(episodes), "export latents", "episode") as progress:
        for episode in episodes:
            for camera, view in enumerate(episode.views):
                relative = _relative(episode, camera)
                rows = np.ascontiguousarray(latents.array(array, view), np.float32)
                _write_tensor(folder / episode.name / relative, torch.from_numpy(rows))
            _write_annotation(latents, episode, folder)
            entry = counts.setdefault(episode.name, {"episodes": 0, "files": 0})
            entry["episodes"] += 1
            entry["files"] += len(episode.views)
            progress.advance()
    return counts


def _episodes(latents: FrameArrayStore) -> Iterator[ExportedEpisode]:
    table = latents.store.table.sort_values(["trajectory", "camera"])
    for trajectory, rows in table.groupby("trajectory", sort=True):
        robot, split = str(rows["robot"].iloc[0]), _SPLITS[str(rows["split"].iloc[0])]
        parts = str(trajectory).removeprefix(f"{robot}/").split("/")
        inside = parts[1:] if parts[0] in (split, rows["split"].iloc[0]) and len(parts) > 1 else parts
        yield ExportedEpisode(robot, split, "_".join(inside), list(rows["id"]))


def _relative(episode: ExportedEpisode, camera: int) -> str:
    return f"{_FOLDERS[0]}/{episode.split}/{episode.id}/{camera}.pt"


def _write_tensor(path: Path, values: torch.Tensor) -> None:
    if path.is_file():
        try:
            there = read_content(path)
            if isinstance(there, torch.Tensor) and torch.equal(there, values):
                return
        except InputError:
            pass  # cut off: it is written again
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as temporary:
        torch.save(values, temporary)


def _write_annotation(latents: FrameArrayStore, episode: ExportedEpisode, folder: Path) -> None:
    store, view = latents.store, episode.views[0]
    texts = [segment.text for segment in store.episode(view).segments]
    if not texts:
        raise InputError(f"{view} has no instruction, and the published layout needs one.")
    content = {
        "task": store.episode(view).segments[0].task or "robot_trajectory_prediction",
        "texts": texts,
        "videos": [],
        "latent_videos": [
            {"latent_video_path": _relative(episode, camera)} for camera in range(len(episode.views))
        ],
        "episode_id": episode.id,
        "video_length": store.length(view),
        "states": store.states(view).tolist(),
        "actions": store.actions(view).tolist(),
    }
    path = folder / episode.name / "annotation" / episode.split / f"{episode.id}.json"
    text = json.dumps({name: value for name, value in content.items() if value != [] or name == "videos"})
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
