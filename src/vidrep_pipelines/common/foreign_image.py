"""Pictures from elsewhere, opened by the formats that are meant and no larger than is meant."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from vidrep_pipelines.common.errors import VidrepError
from vidrep_pipelines.common.foreign_file import is_irregular
from vidrep_pipelines.common.open_files import TooManyOpenFilesError, is_out_of_descriptors

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
"""Pillow also knows formats that other programs are started for (PostScript)."""

MOST_PIXELS = 64_000_000
"""Twice those of a frame of 8K. A few bytes can describe a picture of any size."""


class ForeignImageError(ValueError):
    """A picture is damaged, of another format, or too large; the message is a reason for a sentence."""


@contextmanager
def opened_image(source: Path | bytes) -> Iterator[Image.Image]:
    """Opens a picture; decode it while it is open.

    Args:
        source: The file, or what is in it.

    Raises:
        ForeignImageError: Whatever is wrong with the picture, also while it is decoded.
        FileNotFoundError: There is no such file.
        TooManyOpenFilesError: The process has no descriptor left; the picture is not at fault.
    """
    if isinstance(source, Path) and is_irregular(source):
        raise ForeignImageError("it is no regular file (a pipe or a device)")
    try:
        with Image.open(
            io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS
        ) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ForeignImageError(f"it has {image.width} x {image.height} pixels, too many to be meant")
            yield image
    except (VidrepError, ForeignImageError, FileNotFoundError):
        raise
    except Exception as error:  # a damaged picture can raise nearly anything
        if is_out_of_descriptors(error):
            raise TooManyOpenFilesError from error
        raise ForeignImageError(str(error) or type(error).__name__) from error
