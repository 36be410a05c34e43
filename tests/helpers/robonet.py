"""Miniature trajectories in RoboNet's own layout."""

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.helpers.videos import barcode_frames, write_video

Frames = NDArray[np.uint8]


def robot_frames(count: int, height: int = 24, width: int = 32, seed: int = 0) -> Frames:
    """(T, H, W, 3) frames whose red, green and blue differ; sizes must be even."""
    frames = barcode_frames(count, width, height, seed)
    return (frames * np.array([1.0, 0.6, 0.2])).astype(np.uint8)


def write_trajectory(
    path: Path,
    cameras: Sequence[Frames],
    encoding: str = "jpg",
    image_format: str = "RGB",
    *,
    robot: str = "sawyer",
    states: NDArray[np.floating] | None = None,
    actions: NDArray[np.floating] | None = None,
    bounds: tuple[float, float] = (0.0, 1.0),
    primitives: str = "",
) -> Path:
    """Writes a file; states count up from 0 and actions down from 0, one row per frame, unless given."""
    frames = len(cameras[0]) if cameras else 13
    states = np.arange(frames * 5.0).reshape(frames, 5) if states is None else states
    actions = -np.arange((frames - 1) * 4.0).reshape(-1, 4) if actions is None else actions
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["file_version"] = 1
        file["env/state"], file["policy/actions"] = states, actions
        for name, bound in zip(("low_bound", "high_bound"), bounds, strict=True):
            file[f"env/{name}"] = np.full((frames, states.shape[1]), bound)
        file["env"].attrs["cam_encoding"] = encoding
        if cameras:
            file["env"].attrs["n_cams"] = len(cameras)
        file.create_group("misc")["bin"] = np.array([1.5, 2.5])
        metadata = {"robot": robot, "primitives": primitives, "object_classes": ["cup", "ball"]}
        file.create_group("metadata").attrs.update(metadata)
        for number, pictures in enumerate(cameras):
            _write_camera(file.create_group(f"env/cam{number}_video"), pictures, encoding, image_format)
    return path


def jpeg(frame: Frames, quality: int = 95) -> Frames:
    """One frame as JPEG bytes."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=quality, subsampling=0)
    return np.frombuffer(buffer.getvalue(), np.uint8)


def _write_camera(group: Any, frames: Frames, encoding: str, image_format: str) -> None:
    facts = {"shape": frames.shape[1:], "image_format": image_format}
    if encoding == "mp4":
        group["frames"] = _mp4(frames)
        group["frames"].attrs.update({**facts, "T": len(frames)})
        return
    for number, frame in enumerate(frames):
        group[f"frame{number}"] = jpeg(frame)
        group[f"frame{number}"].attrs.update(facts)


def _mp4(frames: Frames) -> Frames:
    with tempfile.TemporaryDirectory() as folder:
        video = write_video(Path(folder) / "video.mp4", frames, pixel_format="yuv444p", options={"crf": "5"})
        return np.frombuffer(video.read_bytes(), np.uint8)
