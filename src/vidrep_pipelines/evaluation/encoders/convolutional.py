"""Features of one stage of a convolutional network."""

from typing import Any

import torch
from torch import Tensor, nn

from vidrep_pipelines.evaluation.encoders.config import IMAGENET_MEAN, IMAGENET_STD, Triple
from vidrep_pipelines.evaluation.encoders.grid import grid_of


class ConvolutionalEncoder(nn.Module):
    """The output of one stage of a ResNet of timm's, without later stages.

    Args:
        name: For reports.
        network: A ResNet; its classifier is never called.
        stage: The stage, counted from 1.
        mean: Of its training.
        std: Of its training.
    """

    def __init__(
        self,
        name: str,
        network: Any,
        *,
        stage: int,
        mean: Triple = IMAGENET_MEAN,
        std: Triple = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.name, self.mean, self.std = name, mean, std
        self.network = network
        self._stage = stage
        self.stride = int(self.network.feature_info[stage]["reduction"])

    @torch.no_grad()
    def patch_features(self, images: Tensor) -> Tensor:
        """Normalized images (B, 3, H, W) to features (B, D, H / stride, W / stride).

        Raises:
            InputError: H or W is not a multiple of the stride.
        """
        grid_of(images, self.stride)
        features: Tensor = self.network.forward_intermediates(
            images, indices=[self._stage], stop_early=True, intermediates_only=True
        )[0]
        return features
