"""A picture as a PNG file."""

import base64
from typing import TYPE_CHECKING, Union

from kedro_datasets._typing import ImagePreview

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.datasets.local import LocalDataset

if TYPE_CHECKING:
    from PIL.Image import Image

_PNG = b"\x89PNG\r\n\x1a\n"


class Picture(LocalDataset[Union["Image", bytes], "Image"]):
    """A picture, shown by Kedro-Viz. Saves a PIL image or the bytes of a PNG file; loads a PIL image."""

    def save(self, data: Union["Image", bytes]) -> None:
        """Writes the PNG file."""
        if isinstance(data, bytes) and not data.startswith(_PNG):
            raise InputError(f"{self._path}: these bytes are no PNG file.")
        with atomic_file(self._path) as temporary:
            if isinstance(data, bytes):
                temporary.write_bytes(data)
            else:
                data.save(temporary, format="PNG")

    def load(self) -> "Image":
        """Reads the whole picture, so that the file is closed again."""
        from PIL import Image

        with Image.open(self._require()) as picture:
            picture.load()
            return picture

    def preview(self) -> ImagePreview:
        """The PNG file in base64; empty when there is none."""
        if not self._exists():
            return ImagePreview("")
        return ImagePreview(base64.b64encode(self._path.read_bytes()).decode())
