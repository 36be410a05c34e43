"""The pictures of one camera of a RoboNet file."""

import io
from collections.abc import Iterator
from pathlib import Path

import av
import h5py
import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.foreign_image import ForeignImageError, opened_image
from vidrep_pipelines.data.frame_store.episode import DamagedViewError
from vidrep_pipelines.data.frame_store.video_episode import healthy_pictures
from vidrep_pipelines.data.sources.robonet.config import JpegColors
from vidrep_pipelines.data.sources.robonet.header import CameraHeader
from vidrep_pipelines.data.video.container import DECODE_ERRORS, OpenedVideo
from vidrep_pipelines.data.video.film_stream import film_stream

Picture = NDArray[np.uint8]

_OPEN_ERRORS: tuple[type[Exception], ...] = (*DECODE_ERRORS, OSError)


def read_pictures(file: h5py.File, camera: CameraHeader, jpeg_colors: JpegColors) -> Iterator[Picture]:
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


def _mp4_pictures(file: h5py.File, camera: CameraHeader) -> Iterator[Picture]:
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


def _jpeg_pictures(file: h5py.File, camera: CameraHeader) -> Iterator[Picture]:
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
