"""Head of the baselines: each position is embedded from its own few frames alone."""

from torch import Tensor, nn

from vidrep_pipelines.models.carl.config import CarlModelConfig


class LocalHead(nn.Module):
    """Maximum over context frames and places, then perceptrons, (B, T, C) to (B, T, D).

    With ``encoder: conv`` two 3D convolutions come before the maximum (TCC, arXiv 1904.07846, section 4).
    """

    def __init__(self, config: CarlModelConfig) -> None:
        super().__init__()
        width = config.feature_width
        self.convolutions: nn.Sequential | None = None
        if config.encoder == "conv":
            self.convolutions = _convolutions(width, config.convolution_width)
            width = config.convolution_width
        self.perceptrons = _perceptrons(width, config)
        self.to_embedding = nn.Linear(config.hidden_width, config.embedding_width)

    def pool(self, maps: Tensor) -> Tensor:
        """Maps (N, K, C, h, w) of positions with K frames each to (N, C'); h and w >= 5 for convolutions."""
        volumes = maps.transpose(1, 2)
        if self.convolutions is not None:
            volumes = self.convolutions(volumes)
        return volumes.amax(dim=(2, 3, 4))

    def forward(self, pooled: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pooled positions (B, T, C') to embeddings (B, T, D), not normalized. Padding changes nothing."""
        output: Tensor = self.to_embedding(self.perceptrons(pooled))
        return output


def _convolutions(inputs: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, width):
        # Time is padded, space is not: 14 x 14 places become 10 x 10.
        convolution = nn.Conv3d(channels, width, kernel_size=3, padding=(1, 0, 0))
        layers += [convolution, nn.BatchNorm3d(width), nn.ReLU()]
    return nn.Sequential(*layers)


def _perceptrons(inputs: int, config: CarlModelConfig) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in (inputs, config.hidden_width):
        layers += [nn.Dropout(config.dropout), nn.Linear(width, config.hidden_width), nn.ReLU()]
    return nn.Sequential(*layers)
