"""Video Occupancy Models the published way, written plainly: GPT-2 sampling, values, replay buffer."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

TOP_K = 50
FRAME_PIXELS = 84

Weights = dict[str, Tensor]
Cache = list[tuple[Tensor, Tensor]]


def published_logits(
    weights: Weights, heads: int, tokens: Tensor, past: Cache | None = None
) -> tuple[Tensor, Cache]:
    """GPT-2 of weights in its own layout.

    Args:
        weights: By GPT-2's names.
        heads: Attention heads.
        tokens: (B, N) new tokens.
        past: Keys and values of earlier ones, by layer.

    Returns:
        Logits (B, N, V), and keys and values of everything so far.
    """
    start = 0 if past is None else past[0][0].shape[2]
    places = torch.arange(start, start + tokens.shape[1])
    hidden = weights["transformer.wte.weight"][tokens] + weights["transformer.wpe.weight"][places]
    layers = sum(name.endswith("attn.c_attn.bias") for name in weights)
    present: Cache = []
    for layer in range(layers):
        own = {
            name.split(".", 3)[3]: value
            for name, value in weights.items()
            if name.startswith(f"transformer.h.{layer}.")
        }
        attended, memory = _attention(
            own, heads, _norm(own, "ln_1", hidden), None if past is None else past[layer]
        )
        present.append(memory)
        hidden = hidden + attended
        inner = F.gelu(_conv(own, "mlp.c_fc", _norm(own, "ln_2", hidden)), approximate="tanh")
        hidden = hidden + _conv(own, "mlp.c_proj", inner)
    final = {name.removeprefix("transformer."): value for name, value in weights.items()}
    return _norm(final, "ln_f", hidden) @ weights["lm_head.weight"].T, present


def published_sample_uncached(weights: Weights, heads: int, prompts: Tensor, tokens: int) -> Tensor:
    """(B, tokens) drawn from the 50 likeliest; everything is read again for each."""
    sequence = prompts
    for _ in range(tokens):
        logits, _ = published_logits(weights, heads, sequence)
        sequence = torch.cat([sequence, _draw(logits[:, -1])], dim=1)
    return sequence[:, prompts.shape[1] :]


def published_sample(
    weights: Weights, heads: int, prompts: Tensor, tokens: int
) -> tuple[Tensor, list[Tensor]]:
    """The same with the library's cache, and with the scores of all steps, which it keeps."""
    logits, past = published_logits(weights, heads, prompts)
    drawn, scores = [_draw(logits[:, -1])], [logits[:, -1]]
    for _ in range(tokens - 1):
        logits, past = published_logits(weights, heads, drawn[-1], past)
        scores.append(logits[:, -1])
        drawn.append(_draw(logits[:, -1]))
    return torch.cat(drawn, dim=1), scores


def published_value_samples(
    weights: Weights, heads: int, prompts: Tensor, tokens: int, samples: int
) -> Tensor:
    """(samples, B, tokens): one call for each sample, each of which reads the prompts again."""
    return torch.stack([published_sample(weights, heads, prompts, tokens)[0] for _ in range(samples)])


class PublishedBuffer:
    """The published replay buffer in latent mode: what it holds for so many rows.

    Args:
        rows: Capacity. A million in the original, whatever the data.
        tokens: Of a frame.
        actions: Numbers of an action.
    """

    def __init__(self, rows: int, tokens: int, actions: int) -> None:
        pixels = FRAME_PIXELS * FRAME_PIXELS
        self.obs: NDArray[np.int32] = np.zeros((rows, tokens), np.int32)
        self.act: NDArray[np.float32] = np.zeros((rows, actions), np.float32)
        self.rew: NDArray[np.float32] = np.zeros(rows, np.float32)
        self.valid: NDArray[np.bool_] = np.zeros(rows, np.bool_)
        self.k_step: NDArray[np.float32] = np.zeros(rows, np.float32)
        self.frames: NDArray[np.uint8] = np.zeros((rows, 3, FRAME_PIXELS, FRAME_PIXELS), np.uint8)
        self.unread: NDArray[np.float32] = np.ones((rows, pixels), np.float32)

    @property
    def bytes_per_row(self) -> float:
        """Of all arrays."""
        total: int = sum(array.nbytes for array in vars(self).values())
        return total / len(self.rew)


def _attention(
    own: Weights, heads: int, hidden: Tensor, past: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    B, N, D = hidden.shape
    query, key, value = (
        part.view(B, N, heads, D // heads).transpose(1, 2)
        for part in _conv(own, "attn.c_attn", hidden).chunk(3, dim=2)
    )
    if past is not None:
        key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
    attended = F.scaled_dot_product_attention(query, key, value, is_causal=past is None)
    return _conv(own, "attn.c_proj", attended.transpose(1, 2).reshape(B, N, D)), (key, value)


def _conv(own: Weights, name: str, hidden: Tensor) -> Tensor:
    """GPT-2's linear layer, whose weight is (in, out)."""
    flat = hidden.reshape(-1, hidden.shape[-1])
    return torch.addmm(own[f"{name}.bias"], flat, own[f"{name}.weight"]).view(*hidden.shape[:-1], -1)


def _norm(own: Weights, name: str, hidden: Tensor) -> Tensor:
    return F.layer_norm(hidden, hidden.shape[-1:], own[f"{name}.weight"], own[f"{name}.bias"])


def _draw(logits: Tensor) -> Tensor:
    """(B, 1) tokens of the 50 likeliest."""
    least = logits.topk(min(TOP_K, logits.shape[-1])).values[:, -1:]
    return torch.multinomial(logits.masked_fill(logits < least, -torch.inf).softmax(dim=-1), 1)
