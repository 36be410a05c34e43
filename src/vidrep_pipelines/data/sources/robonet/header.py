"""What a RoboNet file says about itself: only headers are read, never a picture."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_number import whole_number
from vidrep_pipelines.common.text import is_utf8
from vidrep_pipelines.data.hdf5 import open_foreign_hdf5

_LONGEST_LIST = 64
_MOST_CAMERAS, _MOST_FRAMES = 1000, 10**7
"""Far more than any file has: a damaged header must not be counted up to."""
_TAKEN = {"id", "status", "error", "seconds", "bytes", "digest", "attempts", "checksums"}


@dataclass(frozen=True)
class CameraHeader:
    """One camera of a file.

    Attributes:
        group: Name of its group.
        encoding: ``mp4`` or ``jpg``.
        frames: Number of frames that the file claims.
        size: Height and width that the file claims.
        image_format: ``RGB`` or ``BGR``.
    """

    group: str
    encoding: str
    frames: int
    size: tuple[int, int]
    image_format: str


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Opens a trajectory.

    Raises:
        InputError: There is no such file, or it is cut off or no HDF5 file.
    """
    with reading(path):
        file = open_foreign_hdf5(path)
    with file:
        yield file


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns whatever h5py raises for damaged files into one error with the name of the file."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist (or is a broken link).") from error
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, IndexError) as error:
        reason = " ".join(str(error).strip("'\"").split())
        raise InputError(
            f"{path}: it is no whole RoboNet file ({reason}). Remedy: download it again or remove it."
        ) from error


def camera_count(file: h5py.File) -> int:
    """How many cameras a file has; 0 if it has no pictures.

    Raises:
        ValueError: It claims an impossible number.
    """
    return _count(file["env"].attrs.get("n_cams", 0), "n_cams", _MOST_CAMERAS)


def read_camera(file: h5py.File, number: int) -> CameraHeader:
    """Reads the header of one camera.

    Raises:
        KeyError: The file has no such camera.
        ValueError: It claims an impossible number of frames.
    """
    group = f"env/cam{number}_video"
    if file["env"].attrs["cam_encoding"] == "mp4":
        video = file[f"{group}/frames"]
        encoding, frames = "mp4", _count(video.attrs["T"], "T", _MOST_FRAMES)
    else:  # "jpg" and "jpeg" occur, and everything else is read alike
        video = file[f"{group}/frame0"]
        encoding, frames = "jpg", sum(name.startswith("frame") for name in file[group])
    height, width = (int(side) for side in video.attrs["shape"][:2])
    return CameraHeader(group, encoding, frames, (height, width), _text(video.attrs["image_format"]))


def _count(value: object, what: str, most: int) -> int:
    """A number of things; ``reading`` adds the name of the file to the error."""
    try:
        return whole_number(value, what, most=most)
    except InputError as error:
        raise ValueError(str(error)) from error


def read_metadata_item(payload: tuple[str, bool], outputs: Mapping[str, Path]) -> dict[str, Any]:
    """One row of the metadata table, under the names that RoboNet's own table has.

    Args:
        payload: Path of the file, and whether to hash all of it.
        outputs: None; there are no products.

    Returns:
        file_version, sha256 (if wanted), sdim, state_T, adim, action_T, ncam; frame_dim, img_T, img_encoding
        and image_format of the first camera (none without one); everything in ``misc`` and ``metadata``; and
        low_bound, high_bound. Lists are JSON text.

    Raises:
        InputError: The file cannot be read.
    """
    del outputs
    path = Path(payload[0])
    with opened(path) as file, reading(path):
        row = {"file_version": _cell(file["file_version"][()]), **_shapes(file), **_first_camera(file)}
        row |= {_free(name, "misc"): _dataset_cell(node) for name, node in file.get("misc", {}).items()}
        attributes = file["metadata"].attrs.items() if "metadata" in file else ()
        row |= {_free(name, "metadata"): _cell(value) for name, value in attributes}
        for name in ("low_bound", "high_bound"):
            row[name] = _cell(file[f"env/{name}"][0]) if name in file["env"] else None
    return {**row, "sha256": _sha256(path)} if payload[1] else row


def metadata_table(manifest: pd.DataFrame, paths: "pd.Series[str]") -> pd.DataFrame:
    """The table of the files that could be read, with their names as the index.

    Args:
        manifest: Manifest of the job that applied :func:`read_metadata_item`.
        paths: Path of each file by the id of its item.
    """
    rows = manifest[manifest["status"] == "ok"]
    names = rows["id"].map(paths).map(lambda path: Path(path).name)
    return rows.drop(columns=sorted(_TAKEN), errors="ignore").set_index(names.rename("file"))


def _shapes(file: h5py.File) -> dict[str, Any]:
    states, actions = file["env/state"].shape, file["policy/actions"].shape
    shapes = (states[1], states[0], actions[1], actions[0], camera_count(file))
    return dict(zip(("sdim", "state_T", "adim", "action_T", "ncam"), shapes, strict=True))


def _first_camera(file: h5py.File) -> dict[str, Any]:
    if camera_count(file) == 0:
        return {"frame_dim": None, "img_T": None, "img_encoding": None, "image_format": None}
    camera = read_camera(file, 0)
    return {
        "frame_dim": _cell(camera.size),
        "img_T": camera.frames,
        "img_encoding": camera.encoding,
        "image_format": camera.image_format,
    }


def _dataset_cell(node: Any) -> Any:
    """Long arrays are described, not copied: the table is for choosing, the file is for reading."""
    if not isinstance(node, h5py.Dataset) or node.size > _LONGEST_LIST:
        return f"{getattr(node, 'dtype', 'group')} {getattr(node, 'shape', '')}".strip()
    return _cell(node[()])


def _cell(value: Any) -> Any:
    """A value that a table can hold."""
    if isinstance(value, bytes | str):
        return _text(value)
    array = np.asarray(value)
    if array.ndim == 0:
        return array.item()
    return json.dumps([_text(item) if isinstance(item, bytes) else item for item in array.tolist()])


def _text(value: bytes | str) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return text if is_utf8(text) else text.encode("utf-8", "replace").decode()


def _free(name: str, group: str) -> str:
    """A few names are taken by the manifest that holds the rows."""
    return f"{group}_{name}" if name in _TAKEN else name


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
