"""What a LeRobotDataset says about itself: its version, rate, features and cameras.

Versions 2.1 (one file an episode) and 3.0 (many episodes in a file) are read; ``meta/info.json`` says which.
Facts of both: github.com/huggingface/lerobot, ``lerobot/datasets``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.common.foreign_number import whole_number
from vidrep_pipelines.common.foreign_text import read_foreign_json

Version = Literal["v2.1", "v3.0"]
VERSIONS: tuple[Version, ...] = ("v2.1", "v3.0")

_INFO = "meta/info.json"
FOLDER_REMEDY = "Remedy: name the folder of a LeRobotDataset, the one with meta, data and videos in it."
_MOST_FILES = 10**9
_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "eval": "validation",
    "test": "test",
}


class LeRobotOptions(FrozenConfig):
    """What is read from a LeRobotDataset."""

    cameras: tuple[str, ...] = ()
    """Keys of the cameras, such as ``observation.images.top``; empty: all but depth. A camera's number is its
    place among all of them in alphabetical order, whichever are read."""

    state: str | None = "observation.state"
    """Column of the states; none, or a data set without it: nothing is known."""

    action: str | None = "action"
    """Column of the actions; none, or a data set without it: nothing is known."""


@dataclass(frozen=True)
class Camera:
    """A camera.

    Attributes:
        key: Name of the feature, such as ``observation.images.top``.
        number: Its place among all cameras, in alphabetical order.
        is_film: Whether its pictures are in a video; else they are in the table.
    """

    key: str
    number: int
    is_film: bool


@dataclass(frozen=True)
class LeRobotDescription:
    """What ``meta/info.json`` says.

    Attributes:
        folder: The data set.
        version: Of its layout.
        rate: Frames per second.
        features: Type of each feature, such as ``video`` or ``float32``.
        cameras: All that are no depth maps.
        files_per_chunk: How many files are in a folder of files.
        splits: Name, first episode and the one after the last.
    """

    folder: Path
    version: Version
    rate: float
    features: Mapping[str, str]
    cameras: tuple[Camera, ...]
    files_per_chunk: int
    splits: tuple[tuple[str, int, int], ...]

    def chosen_cameras(self, options: LeRobotOptions) -> tuple[Camera, ...]:
        """The cameras to read.

        Raises:
            ConfigurationError: There is no such camera.
            InputError: There is no camera at all.
        """
        keys = [camera.key for camera in self.cameras]
        if unknown := [key for key in options.cameras if key not in keys]:
            raise ConfigurationError(
                f"cameras: {self.folder} has no {unknown[0]!r}; it has {', '.join(keys)}."
            )
        if not keys:
            raise InputError(f"{self.folder / _INFO} names no camera (a feature of dtype video or image).")
        return tuple(
            camera for camera in self.cameras if camera.key in options.cameras or not options.cameras
        )

    def column(self, name: str | None, default: str) -> str | None:
        """A column that is to be read; none where the usual one is absent.

        Raises:
            ConfigurationError: Another one than usual is named, and absent.
        """
        if name is None or name in self.features:
            return name
        if name == default:
            return None
        raise ConfigurationError(
            f"{self.folder} has no feature {name!r}; it has {', '.join(sorted(self.features))}."
        )

    def split_of(self, episode: int) -> str | None:
        """The split that an episode is in; none if the data set does not say, or by another name."""
        names = (name for name, first, stop in self.splits if first <= episode < stop)
        return _SPLITS.get(next(names, "").lower())


def read_description(folder: Path) -> LeRobotDescription:
    """Reads ``meta/info.json``.

    Raises:
        InputError: It is missing or damaged, or of a version that is not read.
    """
    path = folder / _INFO
    info = read_foreign_json(path, FOLDER_REMEDY)
    version = info.get("codebase_version") if isinstance(info, dict) else None
    if version not in VERSIONS:
        raise InputError(
            f"{path}: the codebase_version is {version!r:.80}, {' and '.join(VERSIONS)} are read. Remedy: "
            "convert the data set with LeRobot's own scripts."
        )
    features, rate = info.get("features"), info.get("fps")
    if not isinstance(features, dict) or not all(isinstance(one, dict) for one in features.values()):
        raise InputError(f"{path} lists no features. {FOLDER_REMEDY}")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < math.inf:
        raise InputError(f"{path}: fps is {rate!r:.80}, where a number above 0 is expected. {FOLDER_REMEDY}")
    return LeRobotDescription(
        folder=folder,
        version=version,
        rate=float(rate),
        features={name: str(one.get("dtype")) for name, one in features.items()},
        cameras=_cameras(features, path),
        files_per_chunk=whole_number(info.get("chunks_size", 1000), f"{path}: chunks_size", 1, _MOST_FILES),
        splits=_splits(info.get("splits"), path),
    )


def _cameras(features: Mapping[str, Any], path: Path) -> tuple[Camera, ...]:
    kinds = {key: one.get("dtype") for key, one in features.items() if not _is_depth(one)}
    keys = sorted(key for key, kind in kinds.items() if kind in ("video", "image"))
    if wrong := [key for key in keys if "/" in key or "\\" in key or key in ("", ".", "..")]:
        raise InputError(f"{path}: the camera {wrong[0]!r:.80} cannot be the name of a folder.")
    return tuple(Camera(key, number, kinds[key] == "video") for number, key in enumerate(keys))


def _is_depth(feature: Mapping[str, Any]) -> bool:
    facts = feature.get("info") or feature.get("video_info") or {}
    return isinstance(facts, dict) and facts.get("video.is_depth_map") is True


def _splits(listed: Any, path: Path) -> tuple[tuple[str, int, int], ...]:
    """Splits such as ``{"train": "0:50"}``."""
    if listed is None:
        return ()
    try:
        pairs = [(str(name), text.split(":")) for name, text in listed.items()]
        return tuple((name, int(first), int(stop)) for name, (first, stop) in pairs)
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f'{path}: splits are {listed!r:.80}, expected such as {{"train": "0:50"}}.'
        ) from error
