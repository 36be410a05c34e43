"""PennAction: folders of frames, with phases from the authors of TCC and CARL.

Source: Zhang et al., "From Actemes to Action: A Strongly-supervised Representation for Detailed Action
Understanding", ICCV 2013; phases of Dwibedi et al. (arXiv 1904.07846).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_file import disguise_of
from vidrep_pipelines.common.foreign_image import ForeignImageError, opened_image
from vidrep_pipelines.common.foreign_number import whole_numbers
from vidrep_pipelines.common.mat_file import read_mat
from vidrep_pipelines.common.npz import read_npy
from vidrep_pipelines.data.files.foreign_listing import (
    files_by_stem,
    list_files,
    list_folders,
    require_no_gap,
    size_and_time,
)
from vidrep_pipelines.data.frame_store.episode import (
    NO_CAMERA,
    DamagedViewError,
    Episode,
    EpisodeView,
    without_controls,
)
from vidrep_pipelines.data.sources.long_videos.video import (
    SPLIT_OF,
    UNLABELLED,
    Labels,
    LeftOut,
    LongVideo,
    LongVideos,
)

PHASES = MappingProxyType(
    {
        "baseball_pitch": 4,
        "baseball_swing": 3,
        "bench_press": 2,
        "bowl": 3,
        "clean_and_jerk": 6,
        "golf_swing": 3,
        "jumping_jacks": 4,
        "pushup": 2,
        "pullup": 2,
        "situp": 2,
        "squat": 4,
        "tennis_forehand": 3,
        "tennis_serve": 4,
    }
)
"""The actions that are evaluated, in the order of their numbers, and how many phases each has."""

ACTIONS = tuple(PHASES)
_FRAME_SUFFIXES = (".jpg", ".jpeg", ".png")
_DIGITS = 4
_REMEDY = "Unpack Penn_Action.tar.gz and set penn_action.root to its folder."
_LABELS_REMEDY = "Download penn_action_labels and set penn_action.phase_labels to it."


@dataclass(frozen=True)
class PennActionVideo:
    """One folder of frames.

    Attributes:
        trajectory: ``<split>/<4 digits>_<action>``.
        folder: Where its frames are.
        action: Its action.
        labels: Its file of phases.
    """

    trajectory: str
    folder: Path
    action: str
    labels: Path

    @property
    def digest(self) -> str:
        """Changes with the names and sizes of the frames, and with how many there are labels for."""
        files = [(path.name, size_and_time(path)[0]) for path in frame_files(self.folder)]
        return digest_of(files, self.action, len(read_phases(self.labels)))

    @contextmanager
    def open(self) -> Iterator[Episode]:
        """Lists the frames; they are decoded while the pictures are taken.

        Raises:
            InputError: There are no frames or no labels.
        """
        files = frame_files(self.folder)
        kept = _common_length(len(files), len(read_phases(self.labels)), self)
        shown = [files[rank] for rank in evenly(len(files), kept)]
        yield Episode(
            self.action, [EpisodeView(NO_CAMERA, len(files), _pictures(shown))], *without_controls()
        )


def penn_action_videos(root: Path, labels: Path) -> LongVideos:
    """All videos of both splits that have phases, sorted by number within each split.

    Args:
        root: Folder of the release, with ``frames`` and ``labels``.
        labels: Folder of the phases, with ``train`` and ``val``.

    Raises:
        InputError: One of the folders is missing, or there is no file of phases.
    """
    for folder, remedy in ((root / "frames", _REMEDY), (root / "labels", _REMEDY), (labels, _LABELS_REMEDY)):
        if not folder.is_dir():
            raise InputError(f"penn_action: there is no folder {folder}. {remedy}")
    videos, left_out, labelled = [], [], set()
    for published, split in SPLIT_OF.items():
        for path in _label_files(labels / published):
            number = path.name[:_DIGITS]
            labelled.add(number)
            try:
                videos.append(_video(root, path, split))
            except InputError as error:
                left_out.append(LeftOut(f"{split}/{number}", split, str(error)))
    if not labelled:
        raise InputError(
            f"penn_action: there is no file train/*/*.npy or val/*/*.npy in {labels}. {_LABELS_REMEDY}"
        )
    left_out += [
        LeftOut(folder.name, "", f"there is no file of phases for it in {labels}")
        for folder in list_folders(root / "frames")
        if folder.name not in labelled
    ]
    return LongVideos(videos, left_out)


def read_action(path: Path) -> str:
    """The action that a label file of the release names.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        return str(np.ravel(read_mat(path, "action"))[0])
    except Exception as error:  # a damaged .mat file can raise nearly anything
        reason = disguise_of(path) or f"{type(error).__name__}: {error}"
        raise InputError(f"{path} names no action ({reason}). {_REMEDY}") from error


def read_phases(path: Path) -> Labels:
    """(M,) phases of a video; M need not be the number of its frames.

    Raises:
        InputError: The file is no array of whole numbers, or one of them cannot be a phase.
    """
    try:
        phases = read_npy(path, "file of phases")
    except InputError as error:
        raise InputError(f"{error} {_LABELS_REMEDY}") from error
    if phases.ndim != 1 or phases.dtype.kind not in "iu":
        raise InputError(f"{path} holds {phases.shape} {phases.dtype} where whole numbers (M,) are expected.")
    return whole_numbers(phases, f"{path}: a phase", UNLABELLED, max(PHASES.values()) - 1)


def frame_files(folder: Path) -> list[Path]:
    """The frames of a video in the order of their numbers, whether or not these are padded with zeros.

    Raises:
        InputError: There are none, or some are missing, so that labels would be given to other frames.
    """
    files = files_by_stem(folder, _FRAME_SUFFIXES)
    if not files:
        raise InputError(f"There are no frames in {folder}. {_REMEDY}")
    require_no_gap(folder, list(files), _REMEDY, begins_by=1)
    return list(files.values())


def evenly(longer: int, shorter: int) -> list[int]:
    """(shorter,) positions among ``longer`` ones: the published rule where frames and labels differ."""
    return [position * longer // shorter for position in range(shorter)]


def _label_files(split: Path) -> list[Path]:
    """The label files of all actions, sorted by the numbers of their videos."""
    files = [path for action in list_folders(split) for path in list_files(action, (".npy",))]
    return sorted(files, key=lambda path: (path.name[:_DIGITS], str(path)))


def _video(root: Path, labels: Path, split: str) -> LongVideo:
    number = labels.name[:_DIGITS]
    if not number.isdigit():
        raise InputError(f"{labels} does not begin with the four digits of a video.")
    action = read_action(root / "labels" / f"{number}.mat")
    if action not in PHASES:
        raise InputError(f"its action {action!r} is not one of those with phases: {', '.join(ACTIONS)}")
    video = PennActionVideo(f"{split}/{number}_{action}", root / "frames" / number, action, labels)
    frame_files(video.folder)
    read_phases(labels)
    return LongVideo(
        video, split, partial(_labels, video), PHASES[action], True, action, ACTIONS.index(action)
    )


def _labels(video: PennActionVideo, frames: int) -> Labels:
    """The phases of the frames that were chosen, which may have broken off."""
    phases = read_phases(video.labels)
    kept = _common_length(len(frame_files(video.folder)), len(phases), video)
    del frames
    return phases[evenly(len(phases), kept)]


def _common_length(frames: int, phases: int, video: PennActionVideo) -> int:
    if not phases:
        raise InputError(f"{video.labels} is empty: there is no phase for {frames} frames.")
    return min(frames, phases)


def _pictures(files: list[Path]) -> Iterator[NDArray[np.uint8]]:
    for path in files:
        try:
            with opened_image(path) as image:
                yield np.asarray(image.convert("RGB"))
        except (OSError, ForeignImageError) as error:
            raise DamagedViewError(f"{path} is no whole picture ({disguise_of(path) or error})") from error
