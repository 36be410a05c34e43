"""The range of pixels before they are measured."""

from torch import Tensor

from vidrep_pipelines.evaluation.reconstruction.config import PixelRange


def to_range(video: Tensor, pixel_range: PixelRange) -> Tensor:
    """Brings pixels, nominally in 0..1, into the range that the mode says; any shape."""
    if pixel_range == "as_published":
        return video
    clamped = video.clamp(0, 1)
    return (clamped * 255).round() / 255 if pixel_range == "rounded" else clamped
