"""Raw recordings of the two-armed robot of Video Prediction Policy: one HDF5 file per recording, at 50 Hz.

``/observations/arm_end_pose`` (T, 14), ``/observations/hand_qpos`` (T, 24), ``/action`` (T, A), ``/text``,
and ``/observations/images/<camera>``: pictures (T, H, W, 3), or one row of JPEG bytes each (T, N) if the
file's attribute ``compress`` is set. Every fifth step is used; the original drops what lies between, here it
can be used, too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.common.foreign_image import MOST_PIXELS
from vidrep_pipelines.common.item_id import is_usable
from vidrep_pipelines.data.files.foreign_listing import list_files_below
from vidrep_pipelines.data.frame_store.episode import (
    DamagedViewError,
    Episode,
    EpisodeAnnotations,
    EpisodeView,
)
from vidrep_pipelines.data.hdf5 import open_foreign_hdf5
from vidrep_pipelines.data.sources.robot_clips.clip import (
    TRAIN,
    VALIDATION,
    Rows,
    decoded_image,
    instruction_segments,
    number_rows,
    stamp_of,
)

CAMERAS = ("cam_high", "cam_left", "cam_right")
"""Names of the cameras 0, 1 and 2."""

STEPS_PER_SECOND = 50.0
"""Of the recordings."""

ChannelOrder = Literal["rgb", "bgr"]

_READING = 1
_POSE, _HANDS = "observations/arm_end_pose", "observations/hand_qpos"
_POSE_NUMBERS, _HAND_NUMBERS = 14, 24
_MOST_TEXTS = 100_000
_HELD_OUT_EVERY, _HELD_OUT = 50, 4
_DAMAGE = (OSError, KeyError, RuntimeError, ValueError, TypeError, IndexError)


@dataclass(frozen=True)
class XbotEpisode:
    """Every n-th step of a recording.

    Attributes:
        trajectory: ``<data set>/<path of the file>/phase<first step>``.
        path: The file.
        robot: Name of the data set.
        split: ``train`` or ``validation``; none if nothing was held out.
        stamp: Tells versions of the file apart.
        step: How many recorded steps one step is.
        phase: The first recorded step, below ``step``.
        cameras: Read only these; empty: all.
        colors: Order of the channels in raw pictures.
    """

    trajectory: str
    path: Path
    robot: str = "xbot"
    split: str | None = None
    stamp: str = ""
    step: int = 5
    phase: int = 0
    cameras: tuple[int, ...] = ()
    colors: ChannelOrder = "rgb"

    @property
    def digest(self) -> str:
        """Changes with stamp and options; the path does not count, so that a folder may be moved."""
        options = (self.robot, self.step, self.phase, self.cameras, self.colors)
        return digest_of(_READING, self.stamp, options)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        """Opens the file; pictures are read one by one.

        Raises:
            InputError: It is damaged, lacks an array, has none of the cameras or no instruction, or its
                arrays differ in length.
        """
        with _reading(self.path):
            file = open_foreign_hdf5(self.path)
        with file:
            with _reading(self.path):
                steps = _steps(file, self.path)
                frames = len(range(self.phase, steps, self.step))
                if not frames:
                    raise InputError(f"{self.path} has {steps} steps, none from {self.phase} on.")
                states, actions = self._controls(file, steps)
                segments = instruction_segments(_texts(file), frames, str(self.path))
                views = [self._view(file, number, steps) for number in self._cameras(file)]
            rate = STEPS_PER_SECOND / self.step
            annotations = EpisodeAnnotations(segments, frames_per_second=rate)
            yield Episode(self.robot, views, states, actions, annotations=annotations)

    def _controls(self, file: h5py.File, steps: int) -> tuple[Rows, Rows]:
        """States (T, 38): right arm 7 and hand 12, left arm 7 and hand 12; actions (T, A) as recorded."""
        chosen = slice(self.phase, steps, self.step)
        pose, hands = _numbers(file, _POSE, steps)[chosen], _numbers(file, _HANDS, steps)[chosen]
        arm, hand = _POSE_NUMBERS // 2, _HAND_NUMBERS // 2
        states = np.concatenate([pose[:, :arm], hands[:, :hand], pose[:, arm:], hands[:, hand:]], axis=1)
        return states, _numbers(file, "action", steps)[chosen]

    def _cameras(self, file: h5py.File) -> list[int]:
        images = file["observations/images"]
        there = [number for number, name in enumerate(CAMERAS) if name in images]
        wanted = [number for number in there if number in self.cameras or not self.cameras]
        if not wanted:
            raise InputError(
                f"{self.path} has the cameras {sorted(images)}, where {', '.join(CAMERAS)} are expected"
                f"{f', of these {list(self.cameras)}' if self.cameras else ''}."
            )
        return wanted

    def _view(self, file: h5py.File, number: int, steps: int) -> EpisodeView:
        rows = file[f"observations/images/{CAMERAS[number]}"]
        packed = bool(file.attrs.get("compress", False))
        _check_pictures(rows, packed, steps, f"{self.path}: {CAMERAS[number]}")
        chosen = range(self.phase, steps, self.step)
        return EpisodeView(number, len(chosen), self._pictures(rows, packed, chosen))

    def _pictures(self, rows: h5py.Dataset, packed: bool, chosen: range) -> Iterator[Pixels]:
        for number in chosen:
            try:
                row = np.asarray(rows[number])
            except _DAMAGE as error:
                raise DamagedViewError(f"frame {number} of {rows.name} cannot be read ({error})") from error
            picture = decoded_image(row.tobytes(), f"frame {number} of {rows.name}") if packed else row
            yield picture[..., ::-1] if self.colors == "bgr" else picture


def list_xbot(
    folder: Path,
    name: str | None = None,
    *,
    step: int = 5,
    all_phases: bool = False,
    hold_out: bool = True,
    cameras: tuple[int, ...] = (),
    colors: ChannelOrder = "rgb",
) -> list[XbotEpisode]:
    """All recordings below a folder, in natural order.

    Args:
        folder: Where the files are, in any depth of folders.
        name: Name of the data set; None: that of the folder.
        step: How many recorded steps one step is: 5 of 50 Hz are 10 Hz.
        all_phases: Whether the steps between are used as episodes of their own: from 0, 1, ... on. The
            original keeps the first. All of a recording are in one split.
        hold_out: Whether every fiftieth recording is held out for validation, as published: those whose
            number in the list leaves 4 when divided by 50.
        cameras: Read only these; empty: all.
        colors: Order of the channels in the pictures.

    Raises:
        ConfigurationError: ``step`` is below 1.
        InputError: There is no such folder, or no recording in it.
    """
    if step < 1:
        raise ConfigurationError(f"step is {step}, where a number of recorded steps from 1 on is expected.")
    label = name or folder.resolve().name
    files = list_files_below(folder, (".hdf5", ".h5"))
    episodes = [
        XbotEpisode(
            trajectory=f"{label}/{path.relative_to(folder).with_suffix('').as_posix()}/phase{phase}",
            path=path,
            robot=label,
            split=_split(index) if hold_out else None,
            stamp=stamp_of([path]),
            step=step,
            phase=phase,
            cameras=cameras,
            colors=colors,
        )
        for index, path in enumerate(files)
        for phase in range(step if all_phases else 1)
    ]
    usable = [episode for episode in episodes if is_usable(episode.trajectory)]
    if not usable:
        raise InputError(
            f"There is no recording (.hdf5) below {folder}. Remedy: name the folder that has them."
        )
    return usable


def _split(index: int) -> str:
    return VALIDATION if index % _HELD_OUT_EVERY == _HELD_OUT else TRAIN


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns whatever h5py raises for damaged files into one error with the name of the file."""
    try:
        yield
    except _DAMAGE as error:
        reason = " ".join(str(error).strip("'\"").split())
        raise InputError(
            f"{path} is no whole recording ({reason}). Remedy: download it again, or leave it out."
        ) from error


def _steps(file: h5py.File, path: Path) -> int:
    """Number of recorded steps, after a look at the shapes: a header can promise any size."""
    widths = {_POSE: _POSE_NUMBERS, _HANDS: _HAND_NUMBERS, "action": None}
    shapes = {name: _array(file, name).shape for name in widths}
    for name, width in widths.items():
        shape = shapes[name]
        if len(shape) != 2 or (width is not None and shape[1] != width) or not shape[0]:
            wanted = f"(T, {width})" if width else "(T, A)"
            raise InputError(f"{path}: {name} is {shape}, expected {wanted}. Remedy: leave it out.")
    lengths = {name: shape[0] for name, shape in shapes.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"{path}: its arrays differ in length: {lengths}. Remedy: leave it out.")
    return int(shapes[_POSE][0])


def _array(file: h5py.File, name: str) -> h5py.Dataset:
    node = file[name]
    if not isinstance(node, h5py.Dataset):
        raise ValueError(f"{name} is no array")
    return node


def _numbers(file: h5py.File, name: str, steps: int) -> Rows:
    array = _array(file, name)
    if array.dtype.kind not in "iuf" or array.nbytes > MOST_PIXELS:
        raise ValueError(f"{name} holds no rows of numbers, or too many to be meant ({array.shape})")
    return number_rows(array[:steps], f"{file.filename}: {name}")


def _texts(file: h5py.File) -> list[str]:
    """The instructions; none if there are none."""
    node = _array(file, "text") if "text" in file else None
    if node is None or node.size is None or node.size > _MOST_TEXTS:
        return []
    values = np.asarray(node[()]).ravel().tolist()
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _check_pictures(rows: Any, packed: bool, steps: int, what: str) -> None:
    """Raises if an array does not hold one picture per step."""
    if not isinstance(rows, h5py.Dataset):
        raise InputError(f"{what} is no array of pictures.")
    shape, kind = rows.shape, h5py.check_vlen_dtype(rows.dtype) or rows.dtype
    is_one_per_step = len(shape) in {1, 2} if packed else len(shape) == 4 and shape[3] == 3
    if not is_one_per_step or kind != np.uint8 or np.prod(shape[1:], dtype=float) > 3 * MOST_PIXELS:
        wanted = "rows of JPEG bytes (T, N)" if packed else "pictures (T, H, W, 3)"
        raise InputError(f"{what} is {rows.dtype} {shape}, expected uint8 {wanted}. Remedy: leave it out.")
    if shape[0] != steps:
        raise InputError(f"{what} has {shape[0]} pictures for {steps} steps. Remedy: leave it out.")
