"""Parameters of the RoboNet source."""

from pathlib import Path
from typing import Literal

from pydantic import Field, NonNegativeInt

from vidrep_pipelines.common.config import FrozenConfig

JpegColors = Literal["rgb", "bgr", "as_published"]


class RoboNetConfig(FrozenConfig):
    """Which trajectories of RoboNet are read, and how (``params:robonet``)."""

    root: Path | None = None
    """Folder of ``<lab>_<robot>_traj<number>.hdf5`` files."""

    robots: tuple[str, ...] = ()
    """Read only trajectories of these robots. Empty: all."""

    cameras: tuple[NonNegativeInt, ...] = ()
    """Read only these cameras. Empty: all."""

    trajectories: int | None = Field(default=None, ge=1)
    """Read only so many trajectories, drawn by ``seed``. None: all."""

    seed: int = 23
    """Draws the trajectories, with Python's generator, as published."""

    jpeg_colors: JpegColors = "rgb"
    """Order of the channels after decoding a JPEG frame. A JPEG decoder gives RGB whatever the file's
    ``image_format`` says; ``as_published`` reverses the channels of files that say BGR, as the
    original loader does: their red and blue come out exchanged. Videos (mp4) are not affected."""

    jpeg_colors_of: dict[str, JpegColors] = Field(default={})
    """Exceptions for single sources, by the file name before ``_traj``, such as ``penn_kuka: bgr``."""

    state_numbers: int = Field(5, ge=1)
    """Numbers per state; others are cut off, missing ones are zero."""

    action_numbers: int = Field(4, ge=1)
    """Numbers per action; the same."""

    sha256: bool = False
    """Also notes the SHA-256 of every file in the metadata table, which means to read all of it."""

    def colors_of(self, trajectory: str) -> JpegColors:
        """The rule for the JPEG frames of a trajectory."""
        source = trajectory.rsplit("/", maxsplit=1)[-1].rpartition("_traj")[0]
        return self.jpeg_colors_of.get(source, self.jpeg_colors)
