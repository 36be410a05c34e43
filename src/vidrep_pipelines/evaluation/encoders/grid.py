"""The grid that an encoder makes of an image."""

from torch import Tensor

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
