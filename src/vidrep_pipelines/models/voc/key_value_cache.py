"""Keys and values of what a GPT has read: the prompts once, and the continuations of each beside them.

Several continuations of one prompt attend to the same keys. Kept once, these are read once per step for all
of them, and the product becomes one of matrices (bifurcated attention, Athiwaratkun et al. 2024).
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor


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
    """Of all layers.

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
