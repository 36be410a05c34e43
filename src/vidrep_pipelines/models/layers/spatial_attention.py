"""Self-attention between the positions of a feature map."""

from torch import Tensor, nn

from vidrep_pipelines.models.layers.attention import attend
from vidrep_pipelines.models.layers.residual_block import group_norm


class SpatialAttention(nn.Module):
    """One head of attention over all positions beside a shortcut, (N, C, H, W) to the same shape.

    Source: Esser et al. 2021, "Taming Transformers for High-Resolution Image Synthesis", appendix A.

    Args:
        channels: Channels C.
        groups: Groups of the normalization.
    """

    def __init__(self, channels: int, groups: int = 32) -> None:
        super().__init__()
        self.norm = group_norm(channels, groups)
        self.query = nn.Conv2d(channels, channels, 1)
        self.key = nn.Conv2d(channels, channels, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.output = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, C, H, W) to the same shape."""
        normal = self.norm(features)
        query, key, value = (
            project(normal).flatten(2).transpose(1, 2) for project in (self.query, self.key, self.value)
        )
        attended = attend(query, key, value, heads=1).transpose(1, 2).reshape_as(features)
        output: Tensor = features + self.output(attended)
        return output
