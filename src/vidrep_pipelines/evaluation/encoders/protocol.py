"""What an evaluation needs of an image encoder."""

from typing import Protocol

from torch import Tensor

from vidrep_pipelines.common.arrays import Triple
from vidrep_pipelines.common.errors import InputError


def grid_of(images: Tensor, stride: int) -> tuple[int, int]:
    """Rows and columns of features of images (B, C, H, W).

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
