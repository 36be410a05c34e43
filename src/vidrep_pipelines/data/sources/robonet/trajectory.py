"""A RoboNet file as an episode of a frame store."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.episode import DamagedViewError, Episode, EpisodeView
from vidrep_pipelines.data.sources.robonet.config import JpegColors
from vidrep_pipelines.data.sources.robonet.controls import read_controls
from vidrep_pipelines.data.sources.robonet.header import camera_count, opened, read_camera, reading
from vidrep_pipelines.data.sources.robonet.pictures import read_pictures


@dataclass(frozen=True)
class RoboNetTrajectory:
    """One file.

    Attributes:
        trajectory: Its name in the store, such as ``berkeley_sawyer_traj1``.
        path: The file.
        stamp: Tells versions of the file apart, such as its size and time.
        cameras: Read only these; empty: all.
        jpeg_colors: How the channels of JPEG frames are ordered.
        state_numbers: Numbers per state.
        action_numbers: Numbers per action.
    """

    trajectory: str
    path: Path
    stamp: str = ""
    cameras: tuple[int, ...] = ()
    jpeg_colors: JpegColors = "rgb"
    state_numbers: int = 5
    action_numbers: int = 4

    @property
    def digest(self) -> str:
        """Of the stamp and the options; the path does not count, so that a folder may be moved."""
        options = (self.cameras, self.jpeg_colors, self.state_numbers, self.action_numbers)
        return digest_of(self.stamp, options)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        """Opens the file; frames are decoded while the pictures are taken.

        Raises:
            InputError: The file is damaged, or has no pictures, or none of these cameras.
        """
        with opened(self.path) as file:
            with reading(self.path):
                states, actions = read_controls(file, self.state_numbers, self.action_numbers)
                robot = str(file["metadata"].attrs.get("robot", "")) if "metadata" in file else ""
            cameras = self._cameras(file)
            yield Episode(robot, (self._view(file, camera) for camera in cameras), states, actions)

    def _cameras(self, file: h5py.File) -> list[int]:
        with reading(self.path):
            present = range(camera_count(file))
        if not present:
            raise InputError(f"{self.path}: it was recorded without a camera (no env attribute n_cams).")
        chosen = [camera for camera in present if camera in self.cameras or not self.cameras]
        if not chosen:
            raise InputError(
                f"{self.path}: it has the cameras 0..{len(present) - 1}, none of {list(self.cameras)}."
            )
        return chosen

    def _view(self, file: h5py.File, number: int) -> EpisodeView:
        try:
            with reading(self.path):
                camera = read_camera(file, number)
        except InputError as error:
            return EpisodeView(number, 0, _unreadable(error))
        return EpisodeView(number, camera.frames, read_pictures(file, camera, self.jpeg_colors))


def _unreadable(error: InputError) -> Iterator[NDArray[np.uint8]]:
    """Pictures of a camera whose header cannot be read: there is only the reason."""
    yield from ()
    raise DamagedViewError(str(error))
