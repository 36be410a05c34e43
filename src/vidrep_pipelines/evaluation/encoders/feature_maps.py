"""Any network that turns images into maps."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidrep_pipelines.common.arrays import Triple
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.encoders.config import IMAGENET_MEAN, IMAGENET_STD
from vidrep_pipelines.evaluation.encoders.protocol import grid_of


class FeatureMapEncoder(nn.Module):
    """The maps of a convolutional network; fine ones may be averaged over larger cells.

    Args:
        name: How reports call the encoder.
        network: Takes normalized images (B, 3, H, W), gives (B, D, H / s, W / s).
        network_stride: Pixels s per position of the network's maps.
        cell: Pixels per cell of the result. None: s.
        mean: What was subtracted from red, green and blue (0 to 1) in its training.
        std: What they were divided by.

    Raises:
        ConfigurationError: A cell is no whole number of positions of the maps.
    """

    def __init__(
        self,
        name: str,
        network: nn.Module,
        *,
        network_stride: int,
        cell: int | None = None,
        mean: Triple = IMAGENET_MEAN,
        std: Triple = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.name, self.mean, self.std = name, mean, std
        self.network = network
        self.stride = network_stride if cell is None else cell
        self._pooled, rest = divmod(self.stride, network_stride)
        if rest or not self._pooled:
            raise ConfigurationError(
                f"encoders.known.{name}.cell: {cell} pixels are no multiple of the {network_stride} between "
                "positions of its maps."
            )

    @torch.no_grad()
    def patch_features(self, images: Tensor) -> Tensor:
        """Normalized images (B, 3, H, W) to features (B, D, H / stride, W / stride).

        Raises:
            InputError: H or W is not a multiple of the stride.
        """
        grid_of(images, self.stride)
        maps: Tensor = self.network(images)
        return maps if self._pooled == 1 else functional.avg_pool2d(maps, self._pooled)
