"""The two-layer perceptron of a transformer block."""

from torch import Tensor, nn
from torch.nn import functional as F


class Mlp(nn.Module):
    """Linear, exact GELU, linear.

    Args:
        dimension: Number of channels in and out.
        hidden_dimension: Number of channels between.
    """

    def __init__(self, dimension: int, hidden_dimension: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dimension, hidden_dimension)
        self.fc2 = nn.Linear(hidden_dimension, dimension)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (..., D) to (..., D)."""
        output: Tensor = self.fc2(F.gelu(self.fc1(tokens)))
        return output
