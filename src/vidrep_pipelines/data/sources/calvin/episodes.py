"""CALVIN's own files (arXiv 2112.03227): one archive a time step, and instructions for stretches.

``<folder>/{training,validation}/episode_0358482.npz`` holds ``rgb_static`` (200, 200, 3) and ``rgb_gripper``
(84, 84, 3) uint8, ``robot_obs`` (15), ``rel_actions`` (7) and ``actions`` (7); ``ep_start_end_ids.npy`` has
(N, 2) first and last steps of recordings; ``lang_annotations/auto_lang_ann.npy`` is a pickled dictionary
``{"language": {"ann": [N texts], "task": [N names]}, "info": {"indx": [N pairs]}}``. Last steps belong to
their stretch.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.npz import read_npz
from vidrep_pipelines.data.files.foreign_listing import size_and_time
from vidrep_pipelines.data.frame_store.episode import Episode, EpisodeAnnotations, EpisodeView, Segment

CAMERAS = ("rgb_static", "rgb_gripper")
"""The pictures in an archive; a camera's number is its place here."""

FRAMES_PER_SECOND = 30.0
STATE_NUMBERS, ACTION_NUMBERS = 15, 7

_READING = 1
_IN_MEMORY = 1 << 28
"""Bytes of a camera's pictures; those of longer recordings wait in a temporary file."""


class CalvinOptions(FrozenConfig):
    """What is read from CALVIN's files."""

    cameras: tuple[Literal["rgb_static", "rgb_gripper"], ...] = CAMERAS
    """Which cameras; ``rgb_static`` is number 0, ``rgb_gripper`` number 1."""

    actions: Literal["relative", "absolute"] = "relative"
    """``rel_actions``, scaled to -1..1, which policies learn; or ``actions``, poses in the world."""

    unannotated: bool = False
    """Whole recordings, with all their instructions inside, instead of one episode for each instruction."""

    language_folder: str = "lang_annotations"
    """Folder below ``training`` and ``validation`` that holds ``auto_lang_ann.npy``."""


class CalvinAnnotation(NamedTuple):
    """An instruction as it was read: not checked before its episode is opened.

    Attributes:
        first: First step.
        last: Last step, which belongs to it.
        text: The instruction.
        task: Its short name; empty if it has none.
    """

    first: int
    last: int
    text: str
    task: str


@dataclass(frozen=True)
class CalvinEpisode:
    """A stretch of time steps.

    Attributes:
        trajectory: Its name in the store, such as ``calvin/training/00003_0358656_0358720``.
        folder: Where its archives are.
        first: First step.
        last: Last step, which belongs to it.
        annotations: The instructions inside.
        split: ``train`` or ``validation``, by the folder.
        digits: Of the numbers in names of archives.
        options: What is read.
        robot: The data set's name; results are reported by it.
        problem: Why it cannot be opened, if that is known already; else empty.
    """

    trajectory: str
    folder: Path
    first: int
    last: int
    annotations: tuple[CalvinAnnotation, ...] = ()
    split: str | None = None
    digits: int = 7
    options: CalvinOptions = field(default_factory=CalvinOptions)
    robot: str = "calvin"
    problem: str = ""

    @property
    def digest(self) -> str:
        """Changes with the options, the instructions, and size and time of the first and last archive.

        All archives would be millions of files. The folder does not count, so that it may be moved.
        """
        ends = [size_and_time(self._path(step)) for step in (self.first, self.last)]
        read = self.options.model_dump(include={"cameras", "actions"})
        return digest_of(_READING, self.first, self.last, self.annotations, self.robot, read, ends)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        """Reads all steps, each archive once.

        Raises:
            InputError: An archive is missing or damaged, differs from the first one, or has numbers that are
                not finite; or an instruction is empty.
        """
        if self.problem:
            raise InputError(self.problem)
        annotations = EpisodeAnnotations(self._segments(), frames_per_second=FRAMES_PER_SECOND)
        with ExitStack() as stack:
            films = {name: stack.enter_context(_Film()) for name in self.options.cameras}
            states, actions = self._read(films)
            views = (_view(name, film) for name, film in films.items())
            yield Episode(self.robot, views, states, actions, annotations=annotations)

    def _path(self, step: int) -> Path:
        return self.folder / f"episode_{step:0{self.digits}d}.npz"

    def _segments(self) -> tuple[Segment, ...]:
        try:
            return tuple(
                Segment(one.first - self.first, one.last + 1 - self.first, one.text, one.task or None)
                for one in self.annotations
            )
        except InputError as error:
            raise InputError(
                f"{self.trajectory}: an instruction within the steps {self.first} to {self.last} of "
                f"{self.folder} cannot be used. {error} Remedy: correct auto_lang_ann.npy, "
                "or leave the episode out."
            ) from error

    def _read(self, films: dict[str, "_Film"]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """States (T, 15) and actions (T, 7); pictures go to the films."""
        states, actions = list[NDArray[np.float32]](), list[NDArray[np.float32]]()
        name = "rel_actions" if self.options.actions == "relative" else "actions"
        for step in range(self.first, self.last + 1):
            path = self._path(step)
            arrays = _arrays(path, ("robot_obs", name, *films))
            states.append(_numbers(arrays["robot_obs"], STATE_NUMBERS, "robot_obs", path))
            actions.append(_numbers(arrays[name], ACTION_NUMBERS, name, path))
            for camera, film in films.items():
                film.append(arrays[camera], camera, path)
        return np.stack(states), np.stack(actions)


class _Film:
    """The pictures of one camera, in memory or, if they are many, in a temporary file."""

    def __init__(self) -> None:
        self.count = 0
        self._shape: tuple[int, ...] = ()
        self._file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed with this

    def __enter__(self) -> "_Film":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, picture: NDArray[Any], camera: str, path: Path) -> None:
        """Keeps a picture.

        Raises:
            InputError: It is no picture, or of another size than those before.
        """
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
            raise InputError(
                f"{path}: {camera} is {picture.dtype} {picture.shape}, expected uint8 (H, W, 3). Remedy: "
                "download the archive again."
            )
        if self._shape and picture.shape != self._shape:
            raise InputError(
                f"{path}: {camera} is {picture.shape}, the steps before have {self._shape}. Remedy: keep "
                "recordings of one size in a folder."
            )
        self._shape, self.count = picture.shape, self.count + 1
        self._file.write(np.ascontiguousarray(picture).data)

    def pictures(self) -> Iterator[Pixels]:
        """Yields (H, W, 3) in order."""
        size = int(np.prod(self._shape))
        for number in range(self.count):
            self._file.seek(number * size)
            yield np.frombuffer(self._file.read(size), np.uint8).reshape(self._shape)


def _view(name: str, film: _Film) -> EpisodeView:
    return EpisodeView(CAMERAS.index(name), film.count, film.pictures())


def _arrays(path: Path, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """These members of an archive, and no others."""
    if not path.is_file():
        raise InputError(f"{path} is missing. Remedy: unpack all of the data set, or leave the episode out.")
    arrays = read_npz(path, names, "time step of CALVIN")
    if missing := [name for name in names if name not in arrays]:
        raise InputError(
            f"{path} lacks {', '.join(missing)}. Remedy: name a folder in CALVIN's layout, or other cameras."
        )
    return arrays


def _numbers(values: NDArray[Any], count: int, name: str, path: Path) -> NDArray[np.float32]:
    if values.shape != (count,) or values.dtype.kind not in "iuf":
        raise InputError(
            f"{path}: {name} is {values.dtype} {values.shape}, expected {count} numbers. Remedy: a folder in "
            "CALVIN's layout."
        )
    with np.errstate(over="ignore"):
        numbers = values.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise InputError(f"{path}: {name} is not finite. Remedy: leave the episode out.")
    return numbers
