"""What transformers are made of: attention, the network behind it, cross-attention blocks, first weights."""

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F


def attend(
    query: Tensor, key: Tensor, value: Tensor, heads: int, *, causal: bool = False, dropout: float = 0.0
) -> Tensor:
    """Scaled dot-product attention of queries (B, N, D) to keys and values (B, M, D), giving (B, N, D).

    Args:
        query: A query of batch size 1 serves every sample.
        key: What queries are compared with.
        value: What they get.
        heads: Heads are contiguous slices of D.
        causal: Query i sees keys 0 to i only, whatever M is.
        dropout: Share of the weights that is left out; callers give zero in evaluation.
    """
    query, key, value = (
        rearrange(tokens, "b n (heads d) -> b heads n d", heads=heads) for tokens in (query, key, value)
    )
    query = query.expand(len(key), -1, -1, -1)
    # On CPUs the fused bfloat16 kernel is 3.3 times slower than two plain products (forward and backward).
    slow = query.device.type == "cpu" and query.dtype == torch.bfloat16
    kernel = _attend_plainly if slow else F.scaled_dot_product_attention
    attended = kernel(query, key, value, dropout_p=dropout, is_causal=causal)
    return rearrange(attended, "b heads n d -> b n (heads d)")


def _attend_plainly(
    query: Tensor, key: Tensor, value: Tensor, *, dropout_p: float = 0.0, is_causal: bool = False
) -> Tensor:
    """Attention (B, heads, N, d) as two products, with the softmax in float32."""
    scores: Tensor = (query / query.shape[-1] ** 0.5) @ key.transpose(-2, -1)
    if is_causal:
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(hidden, -torch.inf)
    weights: Tensor = scores.softmax(dim=-1, dtype=torch.float32).to(value.dtype)
    return F.dropout(weights, dropout_p) @ value


class SelfAttention(nn.Module):
    """Tokens attend to one another, (B, N, D) to (B, N, D).

    Args:
        dimension: Number of channels D.
        heads: Number of heads, a divisor of D.
    """

    def __init__(self, dimension: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dimension, 3 * dimension)
        self.proj = nn.Linear(dimension, dimension)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N, D) to (B, N, D)."""
        query, key, value = self.qkv(tokens).chunk(3, dim=-1)
        output: Tensor = self.proj(attend(query, key, value, self.heads))
        return output


class CrossAttention(nn.Module):
    """Tokens attend to a context sequence of the same width.

    Args:
        dimension: Number of channels D.
        heads: Number of heads, a divisor of D.
    """

    def __init__(self, dimension: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.kv = nn.Linear(dimension, 2 * dimension)
        self.q = nn.Linear(dimension, dimension)
        self.proj = nn.Linear(dimension, dimension)

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """Tokens (B or 1, N, D) and context (B, M, D) to (B, N, D)."""
        key, value = self.kv(context).chunk(2, dim=-1)
        output: Tensor = self.proj(attend(self.q(tokens), key, value, self.heads))
        return output


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


def initialize_linear_layers(module: nn.Module) -> None:
    """Xavier-uniform weights and zero biases for one linear layer; pass it to ``model.apply``."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def initialize_patch_embedding(projection: nn.Module) -> None:
    """Xavier-uniform weights as if the convolution were a linear layer on flattened patches (MAE).

    The bias keeps the framework's default, as published.
    """
    weight = projection.get_parameter("weight")
    nn.init.xavier_uniform_(weight.detach().flatten(1))
