"""A transformer block that reads a context."""

from torch import Tensor, nn

from vidrep_pipelines.models.layers.attention import CrossAttention, SelfAttention
from vidrep_pipelines.models.layers.mlp import Mlp

_EPSILON = 1e-6


class CrossBlock(nn.Module):
    """Cross-attention to a context, self-attention, perceptron; each normalized before and added.

    There is no perceptron between the two attentions (SiamMAE's cross-self decoder, arXiv 2305.14344, has one
    after both).

    Args:
        dimension: Number of channels D.
        heads: Number of attention heads.
        mlp_ratio: Width of the perceptron relative to D.
    """

    def __init__(self, dimension: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.cross_norm = nn.LayerNorm(dimension, _EPSILON)
        self.context_norm = nn.LayerNorm(dimension, _EPSILON)
        self.cross_attention = CrossAttention(dimension, heads)
        self.self_norm = nn.LayerNorm(dimension, _EPSILON)
        self.self_attention = SelfAttention(dimension, heads)
        self.mlp_norm = nn.LayerNorm(dimension, _EPSILON)
        self.mlp = Mlp(dimension, int(dimension * mlp_ratio))

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """Tokens (B, N, D) and context (B, M, D) to (B, N, D).

        Tokens that are the same for every sample may be given once, as (1, N, D).
        """
        tokens = tokens + self.cross_attention(self.cross_norm(tokens), self.context_norm(context))
        tokens = tokens + self.self_attention(self.self_norm(tokens))
        output: Tensor = tokens + self.mlp(self.mlp_norm(tokens))
        return output
