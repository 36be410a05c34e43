"""Tiny data sets in the layout of Video Prediction Policy, and the real samples where they are present."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.helpers.real_clips import shared_folder
from tests.helpers.videos import barcode_frames, write_video

FRAMES = {"bridge": 8, "xhand": 10, "sthv2": 9}
"""Frames of the clips of each miniature data set."""

TEXTS = {
    "bridge": ["put the pot into the sink", "move the cloth to the left"],
    "xhand": ["grasp the spoon", "stack the blue block on the green block"],
    "sthv2": ["pushing a cup from left to right", "lifting a book up"],
}


def published_instances() -> Path:
    """Folder of the published samples; the calling test is skipped where they are absent."""
    return shared_folder("vpp_instances")


def write_instance_sets(root: Path, size: int = 64, clips: int = 2, latents: bool = True) -> Path:
    """Writes ``bridge`` (one camera), ``xhand`` (three, two of them listed) and ``sthv2`` (WebM).

    Of each, the clips 0, 1, ... in ``train`` and the clip 100 in ``val``. The lower half of every picture
    shows its number, see :func:`tests.helpers.videos.read_barcode`.

    Args:
        root: The folder above those of the data sets.
        size: Side of the pictures in pixels.
        clips: Clips to train on in each data set.
        latents: Whether ``latent_videos_svd/<split>/<id>/<camera>.pt`` (T, 4, size / 8, size / 8) of random
            numbers are written, also for xhand's third camera.
    """
    for name in FRAMES:
        for split, numbers in (("train", range(clips)), ("val", [100])):
            for number in numbers:
                write_instance(root / name, split, str(number), size=size, latents=latents)
    return root


def write_instance(
    folder: Path,
    split: str,
    identifier: str,
    *,
    kind: str | None = None,
    frames: int | None = None,
    size: int = 64,
    latents: bool = False,
    changes: Mapping[str, Any] | None = None,
) -> Path:
    """Writes one clip and returns its annotation file.

    Args:
        folder: Folder of the data set.
        split: Folder of the split.
        identifier: Name of the clip's files.
        kind: Data set whose form it has; the folder's name unless given.
        frames: Frames of the videos.
        size: Side of the pictures in pixels.
        latents: Whether latents are written.
        changes: Fields of the annotation that differ; None removes one.
    """
    kind = kind or folder.name
    length = frames or FRAMES[kind]
    videos = _videos(kind, split, identifier)
    for camera, name in enumerate(videos):
        _write_film(
            folder / name, barcode_frames(length, size, size, seed=camera), 10 if kind == "xhand" else 3
        )
    if latents:
        _write_latents(folder / "latent_videos_svd" / split / identifier, len(videos), length, size // 8)
    content = _annotation(kind, split, identifier, length, videos[:2]) | dict(changes or {})
    path = folder / "annotation" / split / f"{identifier}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))
    return path


def _videos(kind: str, split: str, identifier: str) -> list[str]:
    """Paths of its videos, relative to the folder of the data set."""
    if kind == "sthv2":
        return [f"videos/{identifier}.webm"]
    cameras = ["0", "1", "2"] if kind == "xhand" else ["rgb"]
    return [f"videos/{split}/{identifier}/{camera}.mp4" for camera in cameras]


def _annotation(kind: str, split: str, identifier: str, frames: int, videos: Sequence[str]) -> dict[str, Any]:
    texts = TEXTS[kind]
    latents = [f"latent_videos/{split}/{identifier}/{camera}.pt" for camera in range(len(videos))]
    content: dict[str, Any] = {
        "task": "robot_trajectory_prediction",
        "texts": [texts[int(identifier) % len(texts) if identifier.isdigit() else 0]],
        "videos": [{"video_path": video} for video in videos],
        "latent_videos": [{"latent_video_path": latent} for latent in latents],
        "episode_id": f"id-{identifier}",
    }
    if kind == "bridge":
        states = (np.arange(frames * 7).reshape(frames, 7) / 100).tolist()
        steps = np.full((frames - 1, 7), 0.25).tolist()
        return content | {"state": states, "action": steps, "continuous_gripper_state": [0.5] * frames}
    content["video_length"] = frames
    if kind == "xhand":
        rows = np.arange(frames * 19).reshape(frames, 19) / 100
        content |= {"states": rows.tolist(), "actions": (rows + 0.5).tolist()}
    return content


def _write_film(path: Path, frames: Any, rate: int) -> None:
    if path.suffix == ".webm":
        options = {"cpu-used": "8", "deadline": "realtime"}
        write_video(path, frames, rate=rate, codec="libvpx-vp9", options=options)
    else:
        write_video(path, frames, rate=rate)


def _write_latents(folder: Path, cameras: int, frames: int, side: int) -> None:
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    for camera in range(cameras):
        generator = torch.Generator().manual_seed(camera)
        torch.save(torch.randn(frames, 4, side, side, generator=generator), folder / f"{camera}.pt")
