"""V-JEPA 2, V-JEPA 2.1 and VideoMAE token by token and channel by channel, in double precision."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from vidrep_pipelines.evaluation.encoders.video_transformer import ClipPositions

DIMENSION, DEPTH, HEADS, HIDDEN, PATCH, TUBELET = 32, 2, 2, 40, 4, 2


def make_weights(bias_of_keys: bool = True) -> dict[str, Tensor]:
    """Under the names of V-JEPA 2's authors."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator) * 0.3

    weights = {
        "patch_embed.proj.weight": draw(DIMENSION, 3, TUBELET, PATCH, PATCH),
        "patch_embed.proj.bias": draw(DIMENSION),
        "norm.weight": draw(DIMENSION),
        "norm.bias": draw(DIMENSION),
    }
    for number in range(DEPTH):
        for name, shape in {
            "norm1": (DIMENSION,),
            "attn.qkv": (3 * DIMENSION, DIMENSION),
            "attn.proj": (DIMENSION, DIMENSION),
            "norm2": (DIMENSION,),
            "mlp.fc1": (HIDDEN, DIMENSION),
            "mlp.fc2": (DIMENSION, HIDDEN),
        }.items():
            weights[f"blocks.{number}.{name}.weight"] = draw(*shape)
            weights[f"blocks.{number}.{name}.bias"] = draw(shape[0])
        if not bias_of_keys:
            weights[f"blocks.{number}.attn.qkv.bias"][DIMENSION : 2 * DIMENSION] = 0
    return weights


def slow_features(
    weights: Mapping[str, Tensor], clip: Tensor, positions: ClipPositions, table_side: int = 0
) -> Tensor:
    """Clip (T, 3, H, W) to (T / tubelet, D, h, w)."""
    state = {name: value.double() for name, value in weights.items()}
    maps = F.conv3d(
        clip.double().transpose(0, 1)[None],
        state["patch_embed.proj.weight"],
        state["patch_embed.proj.bias"],
        stride=(TUBELET, PATCH, PATCH),
    )[0]
    times, rows, columns = maps.shape[1:]
    places = [(t, y, x) for t in range(times) for y in range(rows) for x in range(columns)]
    tokens = torch.stack([maps[:, t, y, x] for t, y, x in places])
    if positions == "sines":
        tokens = tokens + _sines(times, rows, columns, table_side)
    for number in range(DEPTH):
        block = {
            name.removeprefix(f"blocks.{number}."): value
            for name, value in state.items()
            if name.startswith(f"blocks.{number}.")
        }
        tokens = tokens + _attention(block, _norm(tokens, block, "norm1"), places, (rows, columns), positions)
        hidden = F.gelu(_norm(tokens, block, "norm2") @ block["mlp.fc1.weight"].T + block["mlp.fc1.bias"])
        tokens = tokens + hidden @ block["mlp.fc2.weight"].T + block["mlp.fc2.bias"]
    return _norm(tokens, state, "norm").reshape(times, rows, columns, -1).movedim(-1, 1)


def _norm(tokens: Tensor, state: Mapping[str, Tensor], name: str) -> Tensor:
    centered = tokens - tokens.mean(-1, keepdim=True)
    scaled = centered / (centered.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    return scaled * state[f"{name}.weight"] + state[f"{name}.bias"]


def _attention(
    block: Mapping[str, Tensor],
    tokens: Tensor,
    places: list[tuple[int, int, int]],
    side: tuple[int, int],
    positions: ClipPositions,
) -> Tensor:
    channels = DIMENSION // HEADS
    joined = tokens @ block["attn.qkv.weight"].T + block["attn.qkv.bias"]
    outputs = []
    for head in range(HEADS):
        start = [part * DIMENSION + head * channels for part in range(3)]
        queries, keys, values = (joined[:, first : first + channels] for first in start)
        if positions != "sines":
            queries, keys = (
                torch.stack(
                    [_turned(row, place, side, positions) for row, place in zip(part, places, strict=True)]
                )
                for part in (queries, keys)
            )
        weights = torch.softmax(queries @ keys.T / math.sqrt(channels), dim=-1)
        outputs.append(weights @ values)
    return torch.cat(outputs, dim=-1) @ block["attn.proj.weight"].T + block["attn.proj.bias"]


def _turned(
    row: Tensor, place: tuple[int, int, int], side: tuple[int, int], positions: ClipPositions
) -> Tensor:
    axis = 2 * (len(row) // 3 // 2)
    result = row.clone()
    for number, position in enumerate(place):
        exact = float(position)
        if positions == "rotary_scaled" and number > 0 and side[number - 1] > 1:
            exact *= 15 / (side[number - 1] - 1)
        for channel in range(axis):
            pair = channel // 2 if positions == "rotary_scaled" else channel % (axis // 2)
            angle = exact / 10000 ** (pair / (axis / 2))
            own = number * axis + channel
            other = -row[own + 1] if channel % 2 == 0 else row[own - 1]
            result[own] = row[own] * math.cos(angle) + other * math.sin(angle)
    return result


def _sines(times: int, rows: int, columns: int, side: int) -> Tensor:
    table = torch.empty(times * side * side, DIMENSION, dtype=torch.float64)
    for place in range(len(table)):
        for channel in range(DIMENSION):
            angle = place / 10000 ** (2 * (channel // 2) / DIMENSION)
            table[place, channel] = math.cos(angle) if channel % 2 else math.sin(angle)
    maps = table.reshape(times, side, side, -1).movedim(-1, 1)
    if (rows, columns) != (side, side):
        maps = F.interpolate(maps, scale_factor=(rows / side, columns / side), mode="bicubic")
    return maps.movedim(1, -1).reshape(times * rows * columns, -1)
