"""A discriminator that judges overlapping patches of a picture."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

_LARGEST_FACTOR = 8


class PatchDiscriminator(nn.Module):
    """Convolutions of stride 2, then one score per patch, (N, C, H, W) to (N, 1, h, w).

    Source: Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks", section
    3.2.2. Group normalization takes the place of batch normalization, so that the score of a picture does not
    depend on what else is in the batch, nor on how many processes share it.

    Args:
        channels: Channels C of the picture.
        width: Channels of the first layer; doubled by each further one, up to eight times.
        layers: Layers of stride 2; a patch spans 16, 34 or 70 pixels with 1, 2 or 3 layers.
        groups: Groups of the normalizations.
    """

    def __init__(self, channels: int = 3, width: int = 64, layers: int = 2, groups: int = 8) -> None:
        super().__init__()
        widths = [width * min(2**number, _LARGEST_FACTOR) for number in range(layers + 1)]
        blocks: list[nn.Module] = [nn.Conv2d(channels, widths[0], 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for number, (inputs, outputs) in enumerate(pairwise(widths), start=1):
            stride = 2 if number < layers else 1
            blocks += [
                nn.Conv2d(inputs, outputs, 4, stride=stride, padding=1, bias=False),
                nn.GroupNorm(groups, outputs),
                nn.LeakyReLU(0.2),
            ]
        self.network = nn.Sequential(*blocks, nn.Conv2d(widths[-1], 1, 4, padding=1))
        self.apply(_initialize)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (N, C, H, W) to scores (N, 1, h, w), high for pictures that look real."""
        scores: Tensor = self.network(pictures)
        return scores


def hinge_loss(real: Tensor, fake: Tensor) -> Tensor:
    """What the discriminator minimizes, given its scores (N, 1, h, w) (Lim & Ye 2017, "Geometric GAN")."""
    return 0.5 * (F.relu(1 - real.float()).mean() + F.relu(1 + fake.float()).mean())


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
