"""The convolutional residual block of the VQGAN family."""

from torch import Tensor, nn
from torch.nn import functional as F


def group_norm(channels: int, groups: int) -> nn.GroupNorm:
    """Group normalization with the family's epsilon."""
    return nn.GroupNorm(groups, channels, eps=1e-6)


class ResidualBlock(nn.Module):
    """Two rounds of norm, SiLU and 3x3 convolution beside a shortcut, (N, C, H, W) to (N, D, H, W).

    Source: Esser et al. 2021, "Taming Transformers for High-Resolution Image Synthesis", appendix A.

    Args:
        inputs: Channels C.
        outputs: Channels D; the shortcut is a 1x1 convolution where they differ.
        groups: Groups of the normalizations.
        dropout: Probability of dropping a value before the second convolution.
    """

    def __init__(self, inputs: int, outputs: int, groups: int = 32, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm1 = group_norm(inputs, groups)
        self.convolution1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = group_norm(outputs, groups)
        self.dropout = nn.Dropout(dropout)
        self.convolution2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, C, H, W) to (N, D, H, W)."""
        hidden = self.convolution1(F.silu(self.norm1(features)))
        hidden = self.convolution2(self.dropout(F.silu(self.norm2(hidden))))
        output: Tensor = self.shortcut(features) + hidden
        return output
