"""What the toy system sees and predicts, as a picture."""

import numpy as np
from PIL.Image import Image
from torch import Tensor

from tests.architecture.toy_system.model import NextColorModel, mean_color
from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.reporting.pictures import ImageRow, image_grid

_TILE = 32


def prediction_picture(model: NextColorModel, source: Tensor, target: Tensor) -> Image:
    """One row per pair of frames (B, 3, S, S) uint8: earlier, later, predicted color, true color."""
    predicted, true = model(mean_color(source)), mean_color(target)
    rows = [
        ImageRow([*(frame.movedim(0, -1).numpy() for frame in frames), _tile(color), _tile(truth)])
        for *frames, color, truth in zip(source, target, predicted, true, strict=True)
    ]
    return image_grid(rows, titles=("frame", "later frame", "predicted color", "true color"))


def _tile(color: Tensor) -> Pixels:
    """A square of one color (3,) in 0..1."""
    pixels = (255 * color.detach().clamp(0, 1)).round().byte().numpy()
    return np.broadcast_to(pixels, (_TILE, _TILE, 3))
