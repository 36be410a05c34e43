"""From decoded frames to RGB pictures."""

from typing import Any

import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from vidrep_pipelines.data.video.probe import quarter_turns


class PictureConverter:
    """Converts frames to RGB with one kept context; building one per frame takes nine times longer."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def upright_rgb(self, frame: Any, rotation: int) -> NDArray[np.uint8]:
        """Returns (H, W, 3), turned counterclockwise by ``rotation`` degrees."""
        picture: NDArray[np.uint8] = self._reformatter.reformat(frame, format="rgb24", threads=1).to_ndarray()  # type: ignore[assignment]
        turns = quarter_turns(rotation)
        return np.rot90(picture, turns) if turns else picture
