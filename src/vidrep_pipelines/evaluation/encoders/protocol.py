"""What an evaluation needs of an encoder of images, clips or streams."""

from typing import Protocol, runtime_checkable

from torch import Tensor

from vidrep_pipelines.common.arrays import Triple
from vidrep_pipelines.common.errors import InputError


def grid_of(images: Tensor, stride: int) -> tuple[int, int]:
    """Rows and columns of features of images (..., H, W).

    Raises:
        InputError: The stride does not divide H and W.
    """
    height, width = images.shape[-2:]
    if height % stride or width % stride:
        raise InputError(
            f"Images of {width}x{height} do not divide into cells of {stride} pixels. Remedy: resize them to "
            "multiples of the encoder's stride."
        )
    return height // stride, width // stride


class ImageEncoder(Protocol):
    """Turns images into a grid of features. Every implementation here is a ``torch.nn.Module`` as well.

    Attributes:
        name: How reports call it.
        stride: Pixels per cell of the grid, in both directions (the patch size of a ViT).
        mean: What was subtracted from red, green and blue (0 to 1) in its training.
        std: What they were divided by.
    """

    name: str
    stride: int
    mean: Triple
    std: Triple

    def patch_features(self, images: Tensor) -> Tensor:
        """Normalized images (B, 3, H, W) to features (B, D, H / stride, W / stride); keeps no gradients.

        Raises:
            InputError: H or W is not a multiple of the stride.
        """
        ...


@runtime_checkable
class ShowsClassToken(Protocol):
    """What an image encoder may offer beside its grid: the token that stands for the whole picture."""

    def class_features(self, images: Tensor) -> Tensor:
        """Normalized images (B, 3, H, W) to features (B, D); keeps no gradients.

        Raises:
            InputError: H or W is not a multiple of the stride.
        """
        ...


@runtime_checkable
class VideoEncoder(Protocol):
    """Turns the frames of videos into grids of features, one for each frame.

    A clip encoder looks at a window of frames together; a stream encoder at one frame and at a state, which
    holds what it has seen before. An image encoder is the case without either, see :class:`FrameByFrame`.

    Attributes:
        name: How reports call it.
        stride: Pixels per cell of the grid, in both directions.
        mean: What was subtracted from red, green and blue (0 to 1) in its training.
        std: What they were divided by.
        window: Frames that are looked at together, the fewest that a video may have; 1 unless it sees clips.
    """

    name: str
    stride: int
    mean: Triple
    std: Triple
    window: int

    def features(self, frames: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Features of consecutive frames, and the state after them; keeps no gradients.

        Args:
            frames: (B, T, 3, H, W), normalized.
            state: What the frames before left, None at the start of a video. Only streams have one.

        Returns:
            (B, T, D, H / stride, W / stride), and the state that the next frames go on from.

        Raises:
            InputError: H or W is not a multiple of the stride, or there are fewer frames than the window has.
        """
        ...


Encoder = ImageEncoder | VideoEncoder
"""What every evaluation of frames takes; :func:`as_video_encoder` makes one kind of both."""


class FrameByFrame:
    """An image encoder as a video encoder: every frame for itself, without state.

    Args:
        images: The image encoder.
    """

    def __init__(self, images: ImageEncoder) -> None:
        self.images, self.window = images, 1
        self.name, self.stride, self.mean, self.std = images.name, images.stride, images.mean, images.std

    def features(self, frames: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Normalized frames (B, T, 3, H, W) to features (B, T, D, H / stride, W / stride), and no state.

        Raises:
            InputError: H or W is not a multiple of the stride.
        """
        features = self.images.patch_features(frames.flatten(0, 1))
        return features.reshape(*frames.shape[:2], *features.shape[1:]), None


def as_video_encoder(encoder: Encoder) -> VideoEncoder:
    """The encoder itself if it sees videos, else :class:`FrameByFrame`."""
    return encoder if isinstance(encoder, VideoEncoder) else FrameByFrame(encoder)
