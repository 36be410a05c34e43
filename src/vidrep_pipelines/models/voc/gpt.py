"""The occupancy model: a GPT-2 that continues the tokens of a state by those of a state of its future."""

from dataclasses import dataclass, field
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.models.layers.linear import ContinuingLinear
from vidrep_pipelines.models.voc.config import GptConfig


class LayerCache:
    """Keys and values of one layer.

    Args:
        samples: Continuations S of every prompt.
        steps: Longest continuation.
    """

    def __init__(self, samples: int, steps: int) -> None:
        self._samples, self._steps = samples, steps
        self._prompt: tuple[Tensor, Tensor] | None = None
        self._length = 0

    @property
    def holds_prompt(self) -> bool:
        """Whether the prompts were read."""
        return self._prompt is not None

    def take_prompt(self, key: Tensor, value: Tensor) -> None:
        """Keeps keys and values (B, heads, N, d) of the prompts."""
        self._prompt = key, value
        B, heads, _, d = key.shape
        # One block for all steps, with the step before the channels: a step writes d contiguous numbers.
        self._keys, self._values = (
            part.new_empty(B, heads, self._samples, self._steps, d) for part in (key, value)
        )

    def extend_and_attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Takes in the next token of each continuation and lets it attend to all before it.

        Args:
            query: (B, heads, S, d).
            key: The same shape.
            value: The same shape.

        Returns:
            (B, heads, S, d).
        """
        assert self._prompt is not None
        self._keys[:, :, :, self._length] = key
        self._values[:, :, :, self._length] = value
        self._length += 1
        prompt_keys, prompt_values = self._prompt
        keys, values = self._keys[..., : self._length, :], self._values[..., : self._length, :]
        query = query * query.shape[-1] ** -0.5
        prompt_scores = query @ prompt_keys.transpose(-2, -1)
        own_scores = (query.unsqueeze(-2) @ keys.transpose(-2, -1)).squeeze(-2)
        weights = torch.cat([prompt_scores, own_scores], dim=-1).softmax(dim=-1, dtype=torch.float32)
        shares = [prompt_scores.shape[-1], self._length]
        on_prompt, on_own = torch.split(weights.to(value.dtype), shares, dim=-1)
        attended: Tensor = on_prompt @ prompt_values + (on_own.unsqueeze(-2) @ values).squeeze(-2)
        return attended


@dataclass
class KeyValueCache:
    """Keys and values of all layers.

    Attributes:
        layers: One cache for each.
        length: Tokens read so far, prompt included.
    """

    layers: list[LayerCache]
    length: int = field(default=0)

    @classmethod
    def empty(cls, layers: int, samples: int, steps: int) -> "KeyValueCache":
        """A cache of so many layers for ``samples`` continuations of ``steps`` tokens per prompt."""
        return cls([LayerCache(samples, steps) for _ in range(layers)])


_INITIAL_DEVIATION = 0.02


class CausalAttention(nn.Module):
    """Every token attends to itself and to those before it, (B, N, D) to (B, N, D)."""

    def __init__(self, config: GptConfig) -> None:
        super().__init__()
        self.heads, self.dropout = config.heads, config.attention_dropout
        self.qkv = ContinuingLinear(config.width, 3 * config.width)
        self.proj = ContinuingLinear(config.width, config.width)

    def forward(self, tokens: Tensor, cache: LayerCache | None = None) -> Tensor:
        """Attends among (B, N, D) or, given a cache, also to what it holds; the cache takes these in."""
        query, key, value = (self._split(part) for part in self.qkv(tokens).chunk(3, dim=-1))
        if cache is not None and cache.holds_prompt:
            attended = cache.extend_and_attend(query, key, value)
        else:
            if cache is not None:
                cache.take_prompt(key, value)
            dropout = self.dropout if self.training else 0.0
            attended = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=True)
        output: Tensor = self.proj(attended.transpose(1, 2).flatten(2))
        return output

    def _split(self, tokens: Tensor) -> Tensor:
        """(B, N, D) to (B, heads, N, D / heads)."""
        B, N, D = tokens.shape
        return tokens.reshape(B, N, self.heads, D // self.heads).transpose(1, 2)


class GptBlock(nn.Module):
    """Attention and perceptron, each on normalized tokens and added to them."""

    def __init__(self, config: GptConfig) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(config.width)
        self.attention = CausalAttention(config)
        self.norm_2 = nn.LayerNorm(config.width)
        self.mlp = nn.Sequential(
            ContinuingLinear(config.width, 4 * config.width),
            nn.GELU(approximate="tanh"),
            ContinuingLinear(4 * config.width, config.width),
        )
        self.dropout = nn.Dropout(config.residual_dropout)

    def forward(self, tokens: Tensor, cache: LayerCache | None = None) -> Tensor:
        """Tokens (B, N, D) to (B, N, D)."""
        tokens = tokens + self.dropout(self.attention(self.norm_1(tokens), cache))
        output: Tensor = tokens + self.dropout(self.mlp(self.norm_2(tokens)))
        return output


class Gpt(nn.Module):
    """Predicts every next token.

    An action, if the config has one, is added to the last token of the context and to all that follow it, so
    that it acts on every token of the future and on no other.

    Args:
        config: Sizes.
        context: Tokens T of a state, where the future begins.
    """

    def __init__(self, config: GptConfig, context: int) -> None:
        super().__init__()
        self.config, self.context = config, context
        self.token_embedding = nn.Embedding(config.vocabulary, config.width)
        self.position_embedding = nn.Embedding(config.positions, config.width)
        self.action_embedding = (
            None if config.action_dimension is None else nn.Linear(config.action_dimension, config.width)
        )
        self.dropout = nn.Dropout(config.embedding_dropout)
        self.blocks = nn.ModuleList(GptBlock(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self._initialize()

    def _initialize(self) -> None:
        """GPT-2's: what is added to the residual stream is scaled down by the number of additions."""
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.ndim == 2:
                residual = name.endswith(("attention.proj.weight", "mlp.2.weight"))
                scale = sqrt(2 * self.config.layers) if residual else 1.0
                nn.init.normal_(parameter, std=_INITIAL_DEVIATION / scale)

    def forward(self, tokens: Tensor, action: Tensor | None = None) -> Tensor:
        """Logits of the tokens that follow.

        Args:
            tokens: (B, N) codes, N up to ``config.positions``.
            action: (B, A), if and only if the model is conditioned on actions.

        Returns:
            (B, N, V).
        """
        return self._logits(self._run(tokens, action, None, 0))

    def start(self, prompts: Tensor, action: Tensor | None, cache: KeyValueCache) -> Tensor:
        """Fills the cache with prompts (B, N); returns the logits (B, V) of the first new token."""
        return self._logits(self._run(prompts, action, cache, 0)[:, -1])

    def advance(self, tokens: Tensor, action: Tensor | None, cache: KeyValueCache) -> Tensor:
        """One more token for each of S continuations of each prompt, (B, S); returns logits (B, S, V)."""
        return self._logits(self._run(tokens, action, cache, cache.length))

    def _run(self, tokens: Tensor, action: Tensor | None, cache: KeyValueCache | None, start: int) -> Tensor:
        """Hidden states (B, N, D). Tokens side by side in the cache share the position ``start``."""
        continuing = cache is not None and start > 0
        places = torch.arange(start, start + (1 if continuing else tokens.shape[1]), device=tokens.device)
        hidden: Tensor = self.token_embedding(tokens) + self.position_embedding(places)
        if self.action_embedding is not None:
            assert action is not None, "the model is conditioned on actions"
            acted = (places >= self.context - 1)[:, None]
            hidden = hidden + acted * self.action_embedding(action)[:, None]
        hidden = self.dropout(hidden)
        for number, block in enumerate(self.blocks):
            hidden = block(hidden, None if cache is None else cache.layers[number])
        if cache is not None:
            cache.length = start + len(places)
        return hidden

    def _logits(self, hidden: Tensor) -> Tensor:
        return F.linear(self.norm(hidden), self.token_embedding.weight)
