"""A video file as an episode, with the states and actions that may lie beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.episode import (
    NO_CAMERA,
    DamagedViewError,
    Episode,
    EpisodeView,
    without_controls,
)
from vidrep_pipelines.data.hdf5 import open_foreign_hdf5
from vidrep_pipelines.data.video.container import OpenedVideo, open_video
from vidrep_pipelines.data.video.healthy_frames import HealthyFrames
from vidrep_pipelines.data.video.picture_converter import PictureConverter


@dataclass(frozen=True)
class VideoEpisode:
    """One video.

    Attributes:
        trajectory: Its name in the store.
        path: The file.
        robot: What is reported together; usually the class of the video.
        controls: HDF5 file with ``states`` (T, S) and ``actions`` (T, A), such as a truth file of the sample
            world; none where nothing is known.
        stamp: Tells versions of the file apart, such as its size and time, or the digest of what made it.
    """

    trajectory: str
    path: Path
    robot: str = ""
    controls: Path | None = None
    stamp: str = ""

    @property
    def digest(self) -> str:
        """Changes with the stamp; the path does not count, so that a folder may be moved."""
        return digest_of(self.stamp, self.robot, self.controls is not None)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        """Opens the video; frames are decoded while the pictures are taken.

        Raises:
            UnreadableVideoError: The file is no video.
            InputError: The states cannot be read.
        """
        states, actions = without_controls() if self.controls is None else read_controls(self.controls)
        with open_video(self.path) as opened:
            view = EpisodeView(NO_CAMERA, opened.stream.frames, healthy_pictures(opened))
            yield Episode(self.robot, [view], states, actions)


def healthy_pictures(opened: OpenedVideo) -> Iterator[NDArray[np.uint8]]:
    """Yields every frame (H, W, 3), upright.

    Raises:
        DamagedViewError: The video ends before its end, or is damaged.
    """
    converter, frames = PictureConverter(), HealthyFrames(opened)
    for frame in frames:
        yield converter.upright_rgb(frame, frame.rotation)
    if frames.detail:
        raise DamagedViewError(f"{opened.path}: {frames.detail}")


def read_controls(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Reads (T, S) states and (T, A) actions.

    Raises:
        InputError: The file is no HDF5 file, lacks one of them, or takes them from other files.
    """
    try:
        with open_foreign_hdf5(path) as file:
            return file["states"][:].astype(np.float32), file["actions"][:].astype(np.float32)
    except (OSError, KeyError) as error:
        raise InputError(f"{path}: states and actions cannot be read ({error}).") from error
