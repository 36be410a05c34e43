"""A RoboNet file as an episode of a frame store."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import h5py
import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_image import ForeignImageError, opened_image
from vidrep_pipelines.data.frame_store.episode import DamagedViewError, Episode, EpisodeView
from vidrep_pipelines.data.frame_store.video_episode import healthy_pictures
from vidrep_pipelines.data.sources.robonet.config import JpegColors
from vidrep_pipelines.data.sources.robonet.header import (
    CameraHeader,
    camera_count,
    opened,
    read_camera,
    reading,
)
from vidrep_pipelines.data.video.container import DECODE_ERRORS, OpenedVideo
from vidrep_pipelines.data.video.film import film_stream

Numbers = NDArray[np.float32]


def read_trajectory_controls(
    file: h5py.File, state_numbers: int, action_numbers: int
) -> tuple[Numbers, Numbers]:
    """Reads states (x, y, z, wrist angle, gripper) and actions.

    Trajectories collected with the "autograsp" primitive were recorded without the action of the gripper. As
    in RoboNet's own loader it is filled in from what the gripper did next: the upper bound if it went beyond
    the middle of its range, else the lower bound.

    Args:
        file: An open trajectory.
        state_numbers: Columns of the states; others are cut off, missing ones are zero.
        action_numbers: Columns of the actions.

    Returns:
        (T, state_numbers) and (T', action_numbers) float32.

    Raises:
        InputError: One of these numbers is not finite.
    """
    states = file["env/state"][:].astype(np.float32)
    actions = file["policy/actions"][:].astype(np.float32)
    if actions.shape[1] == 3 and _is_autograsp(file):
        actions = np.concatenate([actions, _gripper_actions(file, states, len(actions))], axis=1)
    states, actions = _of_width(states, state_numbers), _of_width(actions, action_numbers)
    for what, rows in (("state", states), ("action", actions)):
        bad = ~np.isfinite(rows).all(axis=1)
        if bad.any():
            raise InputError(
                f"{file.filename}: the {what} of step {int(bad.argmax())} is not a finite number. Remedy: "
                "leave the trajectory out."
            )
    return states, actions


def _is_autograsp(file: h5py.File) -> bool:
    primitives = file["metadata"].attrs.get("primitives", "") if "metadata" in file else ""
    known = "low_bound" in file["env"] and "high_bound" in file["env"]
    return known and "autograsp" in str(primitives)


def _gripper_actions(file: h5py.File, states: Numbers, count: int) -> Numbers:
    """(count, 1); zero where no next state is known."""
    low, high = (float(file[f"env/{name}"][0, -1]) for name in ("low_bound", "high_bound"))
    after = states[1 : count + 1, -1:]
    actions = np.zeros((count, 1), np.float32)
    actions[: len(after)] = np.where(after > (low + high) / 2, high, low)
    return actions


def _of_width(rows: Numbers, width: int) -> Numbers:
    result = np.zeros((len(rows), width), np.float32)
    kept = rows[:, :width]
    result[:, : kept.shape[1]] = kept
    return result


_OPEN_ERRORS: tuple[type[Exception], ...] = (*DECODE_ERRORS, OSError)


def read_pictures(file: h5py.File, camera: CameraHeader, jpeg_colors: JpegColors) -> Iterator[Pixels]:
    """Yields the frames of a camera in order, (H, W, 3) uint8 RGB.

    Raises:
        DamagedViewError: A frame is missing, damaged, or of another size than the file says. Nothing comes
            after it.
    """
    pictures = _mp4_pictures(file, camera) if camera.encoding == "mp4" else _jpeg_pictures(file, camera)
    reverse = channels_are_reversed(camera, jpeg_colors)
    for number, picture in enumerate(pictures):
        if picture.shape[:2] != camera.size:
            raise DamagedViewError(
                f"frame {number} is {picture.shape[1]}x{picture.shape[0]}, the file says "
                f"{camera.size[1]}x{camera.size[0]}"
            )
        yield picture[..., ::-1] if reverse else picture


def channels_are_reversed(camera: CameraHeader, jpeg_colors: JpegColors) -> bool:
    """Whether decoding to RGB leaves red and blue exchanged.

    In a video, ``image_format`` names the order in which channels were given to the encoder. For JPEG frames
    it names the order in memory before they were encoded, which the encoder knew about.
    """
    if camera.encoding == "mp4" or jpeg_colors == "as_published":
        return camera.image_format == "BGR"
    return jpeg_colors == "bgr"


def _mp4_pictures(file: h5py.File, camera: CameraHeader) -> Iterator[Pixels]:
    data = io.BytesIO(_bytes(file, f"{camera.group}/frames"))
    try:
        container = av.open(data, format="mp4")
    except _OPEN_ERRORS as error:
        raise DamagedViewError(f"its video cannot be opened ({error})") from error
    with container:
        stream = film_stream(container)
        if stream is None:
            raise DamagedViewError("its video holds no pictures")
        stream.codec_context.thread_count = 1
        opened = OpenedVideo(Path(camera.group), container, stream)
        count = 0
        for count, picture in enumerate(healthy_pictures(opened), start=1):  # noqa: B007 (used after the loop)
            yield picture
        if count < camera.frames:
            raise DamagedViewError(f"the file promises {camera.frames} frames, {count} are there")


def _jpeg_pictures(file: h5py.File, camera: CameraHeader) -> Iterator[Pixels]:
    for number in range(camera.frames):
        data = _bytes(file, f"{camera.group}/frame{number}")
        try:
            with opened_image(data) as image:
                yield np.asarray(image.convert("RGB"))
        except ForeignImageError as error:
            raise DamagedViewError(f"frame {number} is no whole JPEG picture ({error})") from error


def _bytes(file: h5py.File, name: str) -> bytes:
    try:
        return bytes(file[name][()].tobytes())
    except (OSError, KeyError, RuntimeError) as error:
        raise DamagedViewError(f"{name} cannot be read ({error})") from error


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
        """Changes with stamp and options; the path does not count, so that a folder may be moved."""
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
                states, actions = read_trajectory_controls(file, self.state_numbers, self.action_numbers)
                robot = str(file["metadata"].attrs.get("robot", "")) if "metadata" in file else ""
            cameras = self._cameras(file)
            yield Episode(robot, (self._view(file, camera) for camera in cameras), states, actions)

    def _cameras(self, file: h5py.File) -> list[int]:
        with reading(self.path):
            present = range(camera_count(file))
        if not present:
            raise InputError(f"{self.path}: it was recorded without a camera (no env attribute n_cams).")
        wanted = [camera for camera in present if camera in self.cameras or not self.cameras]
        if not wanted:
            raise InputError(
                f"{self.path}: it has the cameras 0..{len(present) - 1}, none of {list(self.cameras)}."
            )
        return wanted

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
