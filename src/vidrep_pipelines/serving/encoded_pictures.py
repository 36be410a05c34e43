"""Pictures in requests: PNG, JPEG or plain bytes, no larger than is taken."""

import base64
import binascii
from typing import Literal

import numpy as np
from pydantic import ConfigDict, Field

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.foreign_image import ForeignImageError, opened_image

PictureFormat = Literal["png", "jpeg", "raw"]


class PictureError(ForeignImageError):
    """A picture that is not taken; the message is the end of a sentence.

    Args:
        reason: What is wrong with it.
        status: HTTP's, 413 for what is too large.
    """

    def __init__(self, reason: str, status: int = 422) -> None:
        super().__init__(reason)
        self.status = status


class EncodedPicture(FrozenConfig):
    """A picture in text."""

    model_config = ConfigDict(use_attribute_docstrings=True)  # the texts are those of the service's page

    format: PictureFormat
    """``raw``: rows of pixels of three bytes, red, green, blue."""

    data: str
    """The file's or the pixels' bytes in base64."""

    height: int | None = Field(None, ge=1)
    """Pixels; asked for with ``raw`` only."""

    width: int | None = Field(None, ge=1)
    """Pixels; asked for with ``raw`` only."""


def decoded_picture(encoded: EncodedPicture, side: int) -> Pixels:
    """(H, W, 3) uint8.

    Args:
        encoded: As it was sent.
        side: The longest side that is taken, in pixels.

    Raises:
        PictureError: It is damaged, of another format than it says, or too large.
    """
    try:
        data = base64.b64decode(encoded.data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PictureError("its data are no base64") from error
    if encoded.format != "raw":
        return picture_of_file(data, encoded.format, side)
    if encoded.height is None or encoded.width is None:
        raise PictureError("raw pixels need their height and width")
    check_picture_size(encoded.height, encoded.width, side)
    if len(data) != encoded.height * encoded.width * 3:
        raise PictureError(
            f"{encoded.height} x {encoded.width} x 3 bytes are announced, and {len(data)} were sent"
        )
    return np.frombuffer(data, np.uint8).reshape(encoded.height, encoded.width, 3)


def picture_of_file(data: bytes, kind: Literal["png", "jpeg"], side: int) -> Pixels:
    """Pixels (H, W, 3) uint8 of a PNG or JPEG file.

    Raises:
        PictureError: It is damaged, of the other format, or too large, which its first bytes tell.
    """
    try:
        with opened_image(data) as image:
            if image.format != kind.upper():
                raise PictureError(f"it is {image.format}, not {kind.upper()}")
            check_picture_size(image.height, image.width, side)
            return np.asarray(image.convert("RGB"))
    except PictureError:
        raise
    except ForeignImageError as error:
        raise PictureError(f"it cannot be decoded ({str(error)[:100]})") from error


def check_picture_size(height: int, width: int, side: int) -> None:
    """Nothing, if both sides are there and not too long.

    Raises:
        PictureError: They are not.
    """
    if min(height, width) < 1:
        raise PictureError("it has no pixels")
    if max(height, width) > side:
        raise PictureError(f"it has {height} x {width} pixels; sides of at most {side} are taken", 413)
