"""Colors as features: what label propagation reaches without any representation."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.evaluation.encoders.config import IMAGENET_MEAN, IMAGENET_STD, PixelEncoderConfig
from vidrep_pipelines.evaluation.encoders.protocol import grid_of


class PixelEncoder(nn.Module):
    """Each patch as the mean colors of a few squares.

    Args:
        name: For reports.
        config: Side of a patch, and squares along it.
    """

    def __init__(self, name: str, config: PixelEncoderConfig) -> None:
        super().__init__()
        self.name, self.mean, self.std = name, IMAGENET_MEAN, IMAGENET_STD
        self.stride, self._squares = config.patch_size, config.squares

    @torch.no_grad()
    def patch_features(self, images: Tensor) -> Tensor:
        """Normalized images (B, 3, H, W) to features (B, 3 * squares**2, H / stride, W / stride).

        Raises:
            InputError: H or W is not a multiple of the stride.
        """
        grid_of(images, self.stride)
        return F.pixel_unshuffle(F.avg_pool2d(images, self.stride // self._squares), self._squares)
