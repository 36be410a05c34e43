"""One annotation file of the layout in which Video Prediction Policy publishes its clips.

A data set is a folder: ``annotation/<split>/<id>.json`` says what is in ``videos/<split>/<id>/`` and in
``latent_videos/<split>/<id>/``. Source: Hu et al., "Video Prediction Policy" (arXiv 2412.14803).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_number import whole_number
from vidrep_pipelines.common.foreign_text import read_foreign_json
from vidrep_pipelines.data.files.foreign_listing import list_files
from vidrep_pipelines.data.files.listing import VIDEO_SUFFIXES
from vidrep_pipelines.data.frame_store.episode import Segment, without_controls
from vidrep_pipelines.data.sources.robot_clips.clip import (
    Rows,
    instruction_segments,
    number_rows,
    path_inside,
    require_length,
)

LATENT_FOLDERS = ("latent_videos", "latent_videos_svd")
"""Names of the folder of latents: files that name the one were published beside the other."""

_VIDEO_SUFFIXES = tuple(sorted(VIDEO_SUFFIXES))
_REMEDY = "Remedy: download the annotation again, or leave it out."


@dataclass(frozen=True)
class ClipAnnotation:
    """What an annotation file says; read with :func:`read_clip_annotation`.

    Attributes:
        path: The file.
        content: Its fields.
    """

    path: Path
    content: Mapping[str, Any] = field(hash=False)

    @property
    def root(self) -> Path:
        """Folder of the data set, in which all its paths are."""
        return self.path.parents[2]

    @property
    def identifier(self) -> str:
        """What the release calls the episode; in RT-1 not the name of its files."""
        return str(self.content.get("episode_id", self.path.stem))

    @property
    def has_absolute_actions(self) -> bool:
        """Whether the actions are commanded positions (``actions``), or steps from one to the next."""
        return "actions" in self.content

    def videos(self, beside: bool = False) -> dict[int, Path]:
        """Video file of each camera, whether it is there or not.

        Args:
            beside: Whether videos in the same folder that the file does not list count as further cameras:
                of xhand's three, it lists two.

        Raises:
            InputError: None is listed, or a path leads out of the folder.
        """
        paths = self._paths("videos", "video_path")
        if not paths:
            raise InputError(f"{self.path} lists no videos. {_REMEDY}")
        return self._by_camera(paths, _VIDEO_SUFFIXES if beside else ())

    def latents(self, beside: bool = False) -> dict[int, Path]:
        """Published latent file of each camera that has one: (T, 4, h, w), a tensor saved by PyTorch.

        Args:
            beside: Like that of :meth:`videos`.

        Raises:
            InputError: A path leads out of the folder.
        """
        paths = [self._latent_file(path) for path in self._paths("latent_videos", "latent_video_path")]
        cameras = self._by_camera(paths, (".pt",) if beside else ())
        return {camera: path for camera, path in cameras.items() if path.is_file()}

    def frames(self) -> int:
        """Number of frames: that of the states, else ``video_length``; 0 if the file says neither.

        Raises:
            InputError: ``video_length`` is no such number.
        """
        rows = self._first("state", "states")
        if isinstance(rows, Sequence):
            return len(rows)
        length = self.content.get("video_length")
        return 0 if length is None else whole_number(length, f"{self.path}: video_length", least=1)

    def instructions(self, frames: int) -> tuple[Segment, ...]:
        """All its texts, the first one first, each for the whole clip.

        Raises:
            InputError: There is none, or one is empty.
        """
        return instruction_segments(self.content.get("texts"), frames, str(self.path))

    def controls(self, frames: int) -> tuple[Rows, Rows]:
        """States (T, S) and actions (T, A) or (T - 1, A) float32; no rows of what it does not have.

        Bridge and RT-1: position (3), Euler angles (3) and gripper (1), and the step to the next state.
        xhand: position (3), quaternion x y z w (4) and the hand's joints (12), and the commanded ones.

        Raises:
            InputError: They are no finite numbers, or of another length than the clip.
        """
        states, actions = without_controls()
        if (given := self._first("state", "states")) is not None:
            states = number_rows(given, f"{self.path}: states")
            require_length(states, [frames], f"{self.path}: states")
        if (given := self._first("action", "actions")) is not None:
            actions = number_rows(given, f"{self.path}: actions")
            require_length(actions, [frames - 1, frames], f"{self.path}: actions")
        return states, actions

    def _first(self, *names: str) -> Any:
        return next((self.content[name] for name in names if self.content.get(name)), None)

    def _paths(self, name: str, entry: str) -> list[Path]:
        listed = self.content.get(name) or []
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise InputError(f"{self.path}: {name} is no list of files. {_REMEDY}")
        return [path_inside(self.root, one.get(entry), f"{self.path}: {entry}") for one in listed]

    def _latent_file(self, path: Path) -> Path:
        """The path, or the same in the folder's other name if only that is there."""
        first, *rest = path.relative_to(self.root).parts
        others = [name for name in LATENT_FOLDERS if name != first] if first in LATENT_FOLDERS else []
        candidates = [path, *(self.root.joinpath(name, *rest) for name in others)]
        return next((one for one in candidates if one.is_file()), path)

    def _by_camera(self, paths: Sequence[Path], neighbors: Sequence[str]) -> dict[int, Path]:
        """Files named after cameras have their numbers, others are counted.

        Args:
            paths: The files that are listed.
            neighbors: Endings of files in the same folder that belong to further cameras.
        """
        numbers = [self._camera_of(path) for path in paths]
        if None in numbers or len(set(numbers)) < len(numbers):
            return dict(enumerate(paths))
        cameras = {number: path for number, path in zip(numbers, paths, strict=True) if number is not None}
        folders = dict.fromkeys(path.parent for path in paths) if neighbors else {}
        for path in (path for folder in folders for path in list_files(folder, neighbors)):
            number = self._camera_of(path)
            if number is not None:
                cameras.setdefault(number, path)
        return dict(sorted(cameras.items()))

    def _camera_of(self, path: Path) -> int | None:
        """The number in ``<id>/<camera>.mp4``; none for ``<id>/rgb.mp4``, or for ``<id>.webm``."""
        is_own = path.parent.name in {self.path.stem, self.identifier}
        return int(path.stem) if is_own and path.stem.isascii() and path.stem.isdigit() else None


def read_clip_annotation(path: Path) -> ClipAnnotation:
    """Reads an annotation file.

    Raises:
        InputError: It is missing, or no JSON object.
    """
    content = read_foreign_json(path, _REMEDY)
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no annotation: it is no JSON object. {_REMEDY}")
    return ClipAnnotation(path, content)


def published_latents(annotation: Path, beside: bool = False) -> dict[int, Path]:
    """The published latent file of each camera of a clip; empty if the release has none.

    Args:
        annotation: The clip's annotation file, ``<data set>/annotation/<split>/<id>.json``.
        beside: Whether files that the annotation does not list count as further cameras.

    Raises:
        InputError: The annotation cannot be read.
    """
    return read_clip_annotation(annotation).latents(beside)
