"""What the arm does on the tabletop under different instructions, for people to look at."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.sample_world.tabletop import CameraName
from vidrep_pipelines.data.sample_world.tabletop_episodes import TabletopEpisode
from vidrep_pipelines.reporting.pictures import ImageRow, image_grid

_OUTLINE = (255, 255, 255)
_SMALLEST = 160  # pixels of a shown frame's height, below which it is enlarged before the outline is drawn


def instruction_sheet(
    episodes: Sequence[TabletopEpisode], camera: CameraName = "front", moments: int = 7
) -> Image.Image:
    """A row for each episode, time from left to right, the named object outlined in white.

    Args:
        episodes: What to show; best all instructions of one table.
        camera: Whose frames.
        moments: How many frames of each, evenly spread from the first to the last.

    Raises:
        ConfigurationError: There is no episode, or the camera filmed none of them.
    """
    if not episodes or any(camera not in episode.frames for episode in episodes):
        raise ConfigurationError(
            f"There is no episode of the tabletop that the camera {camera!r} has filmed."
        )
    rows = [_row(episode, camera, moments) for episode in episodes]
    seconds = _moments(len(episodes[0].states), moments) / episodes[0].frames_per_second
    done = sum(episode.success for episode in episodes)
    return image_grid(
        rows,
        titles=[f"{second:.1f} s" for second in seconds],
        heading=f"{len(episodes)} instructions, {done} carried out, camera: {camera}",
        cell_height=_SMALLEST,
    )


def _row(episode: TabletopEpisode, camera: CameraName, moments: int) -> ImageRow:
    shown = _moments(len(episode.states), moments)
    images = [
        outlined(frame, mask)
        for frame, mask in zip(episode.frames[camera][shown], episode.masks[camera][shown], strict=True)
    ]
    phases = [episode.phase_names[index] if index >= 0 else "" for index in episode.phases[shown]]
    order = episode.instruction
    lines = [f"{order.action} the {order.name}", order.where, order.split.replace("_", " ")]
    lines.append("done" if episode.success else "not done")
    return ImageRow(images, label="\n".join(lines), captions=phases)


def _moments(frames: int, moments: int) -> NDArray[np.int64]:
    return np.round(np.linspace(0, frames - 1, moments)).astype(np.int64)


def outlined(frame: Pixels, mask: NDArray[np.bool_]) -> Pixels:
    """A frame (H, W, 3), enlarged if it is small, with a white line around the mask (H, W)."""
    scale = max(1, -(-_SMALLEST // frame.shape[0]))
    size = (frame.shape[1] * scale, frame.shape[0] * scale)
    pixels = np.array(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC))
    large = mask.repeat(scale, axis=0).repeat(scale, axis=1)
    pixels[ndimage.binary_dilation(large, iterations=2) & ~large] = _OUTLINE
    return pixels
