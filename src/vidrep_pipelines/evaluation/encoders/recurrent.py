"""Recurrent Video Masked autoencoders (arXiv 2512.13684): a state is carried from frame to frame."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.npz import npz_names, read_npz
from vidrep_pipelines.evaluation.encoders.config import RvmEncoderConfig
from vidrep_pipelines.evaluation.encoders.protocol import grid_of
from vidrep_pipelines.evaluation.encoders.video_transformer import sine_table
from vidrep_pipelines.models.layers.linear import use_fast_linear_layers
from vidrep_pipelines.models.shared.trained import load_strictly
from vidrep_pipelines.models.shared.weight_file import some_of

_SIDE = 16
"""Patches along a side of the pictures of 256 pixels that it was trained on, for which positions are made."""
_EPSILON, _STATE_EPSILON = 1e-6, 1e-4
_PARTS = ("tokenizer/", "encoder/", "rnn_core/", "cls_token")
_PATCHES, _QUERY = "tokenizer/patch_embedding/Conv_0/kernel", "attention/query/kernel"
_LIST_ENTRY = re.compile(r"\.(\d+)\.")

_log = logging.getLogger(__name__)


class RvmAttention(nn.Module):
    """Attention of some tokens to others."""

    def __init__(self, dimension: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(dimension, dimension) for _ in range(4))

    def forward(self, tokens: Tensor, others: Tensor) -> Tensor:
        """Tokens (B, N, D), which look at others (B, M, D), to the shape of the first."""
        queries, keys, values = (
            layer(source).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, source in ((self.query, tokens), (self.key, others), (self.value, others))
        )
        mixed = F.scaled_dot_product_attention(queries, keys, values)
        projected: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return projected


class RvmPerceptron(nn.Module):
    """Two layers with the GELU of the tanh form, Flax's default."""

    def __init__(self, dimension: int, hidden: int) -> None:
        super().__init__()
        self.dense_in, self.dense_out = nn.Linear(dimension, hidden), nn.Linear(hidden, dimension)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (..., D) to the same shape."""
        hidden = F.gelu(self.dense_in(tokens), approximate="tanh")
        result: Tensor = self.dense_out(hidden)
        return result


class RvmBlock(nn.Module):
    """A pre-norm block of the image encoder."""

    def __init__(self, dimension: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dimension, eps=_EPSILON)
        self.attention = RvmAttention(dimension, heads)
        self.mlp_norm = nn.LayerNorm(dimension, eps=_EPSILON)
        self.mlp = RvmPerceptron(dimension, hidden)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N, D) to the same shape."""
        normed = self.attention_norm(tokens)
        tokens = tokens + self.attention(normed, normed)
        result: Tensor = tokens + self.mlp(self.mlp_norm(tokens))
        return result


class RvmCrossBlock(nn.Module):
    """A block of the recurrent core: attention to the state, perceptron, attention to itself."""

    def __init__(self, dimension: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.ca_attention_norm = nn.LayerNorm(dimension, eps=_EPSILON)
        self.ca_attention = RvmAttention(dimension, heads)
        self.mlp_norm = nn.LayerNorm(dimension, eps=_EPSILON)
        self.mlp = RvmPerceptron(dimension, hidden)
        self.attention_norm = nn.LayerNorm(dimension, eps=_EPSILON)
        self.attention = RvmAttention(dimension, heads)

    def forward(self, tokens: Tensor, others: Tensor) -> Tensor:
        """Tokens (B, N, D), which look at others (B, M, D), to the same shape."""
        tokens = tokens + self.ca_attention(self.ca_attention_norm(tokens), others)
        tokens = tokens + self.mlp(self.mlp_norm(tokens))
        normed = self.attention_norm(tokens)
        result: Tensor = tokens + self.attention(normed, normed)
        return result


class RvmCore(nn.Module):
    """A gated recurrent unit whose candidate is a transformer that looks at the state (paper, section 3).

    Args:
        dimension: Width of the tokens.
        heads: Attention heads.
        hidden: Width of the perceptrons.
        depth: Blocks.
    """

    def __init__(self, dimension: int, heads: int, hidden: int, depth: int) -> None:
        super().__init__()
        self.input_update, self.input_reset, self.state_update, self.state_reset = (
            nn.Linear(dimension, dimension, bias=False) for _ in range(4)
        )
        self.state_layer_norm = nn.LayerNorm(dimension, eps=_STATE_EPSILON, bias=False)
        blocks = nn.ModuleList(RvmCrossBlock(dimension, heads, hidden) for _ in range(depth))
        output_norm = nn.LayerNorm(dimension, eps=_EPSILON)
        self.transformer = nn.ModuleDict({"xa_blocks": blocks, "output_norm": output_norm})

    def forward(self, tokens: Tensor, state: Tensor) -> Tensor:
        """A frame's tokens (B, N, D) and the state (B, N, D) to the next state, which are the features."""
        update = torch.sigmoid(self.input_update(tokens) + self.state_update(state))
        reset = torch.sigmoid(self.input_reset(tokens) + self.state_reset(state))
        memory, candidate = reset * self.state_layer_norm(state), tokens
        for block in self.transformer["xa_blocks"].children():
            candidate = block(candidate, memory)
        after: Tensor = (1 - update) * state + update * self.transformer["output_norm"](candidate)
        return after


class RvmModel(nn.Module):
    """The image encoder and the core. The names of its weights are Flax's, with dots.

    Args:
        dimension: Width of the tokens.
        heads: Attention heads of encoder and core.
        hidden: Width of the perceptrons of encoder and core.
        depth: Blocks of encoder and core.
        patch_size: Side of a patch in pixels.
    """

    def __init__(
        self,
        *,
        dimension: int,
        heads: tuple[int, int],
        hidden: tuple[int, int],
        depth: tuple[int, int],
        patch_size: int,
    ) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, dimension))
        convolution = nn.Conv2d(3, dimension, patch_size, stride=patch_size)
        self.tokenizer = nn.ModuleDict({"patch_embedding": nn.ModuleDict({"Conv_0": convolution})})
        layers = nn.ModuleList(RvmBlock(dimension, heads[0], hidden[0]) for _ in range(depth[0]))
        last_norm = nn.LayerNorm(dimension, eps=_EPSILON)
        self.encoder = nn.ModuleDict({"layers": layers, "LayerNorm_0": last_norm})
        self.rnn_core = RvmCore(dimension, heads[1], hidden[1], depth[1])

    def encode(self, frames: Tensor) -> Tensor:
        """Frames (B, 3, H, W) in 0..1 to tokens (B, 1 + N, D), CLS first."""
        maps = self.tokenizer.get_submodule("patch_embedding.Conv_0")(frames)
        table = sine_table(_SIDE * _SIDE, maps.shape[1]).T.reshape(1, -1, _SIDE, _SIDE).to(maps)
        if maps.shape[2:] != table.shape[2:]:  # the smoothed cubic of jax.image.resize
            table = F.interpolate(table.float(), size=maps.shape[2:], mode="bicubic", antialias=True).to(maps)
        tokens = (maps + table).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], dim=1)
        for block in self.encoder["layers"].children():
            tokens = block(tokens)
        encoded: Tensor = self.encoder["LayerNorm_0"](tokens)
        return encoded


class RvmEncoder(nn.Module):
    """RVM as a stream encoder; the features of a frame are the state after it, without CLS.

    Args:
        name: How reports call the encoder.
        model: The network.
        patch_size: Side of a patch in pixels.
    """

    def __init__(self, name: str, model: RvmModel, patch_size: int) -> None:
        super().__init__()
        self.name, self.stride, self.window = name, patch_size, 1
        self.mean, self.std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        self.model = model

    @torch.no_grad()
    def features(self, frames: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Frames (B, T, 3, H, W) in 0..1 to features (B, T, D, H / stride, W / stride), and the state.

        Args:
            frames: Consecutive frames.
            state: (B, 1 + N, D) after the frames before; None: zeros, at the start of a video.

        Raises:
            InputError: H or W is not a multiple of the stride.
        """
        grid = grid_of(frames, self.stride)
        tokens = self.model.encode(frames.flatten(0, 1))
        tokens = tokens.reshape(*frames.shape[:2], *tokens.shape[1:])
        current = torch.zeros_like(tokens[:, 0]) if state is None else state
        maps = []
        for time in range(frames.shape[1]):
            current = self.model.rnn_core(tokens[:, time], current)
            maps.append(current[:, 1:].transpose(1, 2).reshape(len(current), -1, *grid))
        return torch.stack(maps, dim=1), current


def load_rvm_encoder(name: str, config: RvmEncoderConfig) -> RvmEncoder:
    """Reads a published file of weights; sizes follow from the arrays.

    The published program computes in bfloat16; here it is whatever precision the evaluation asks for.

    Raises:
        InputError: The file cannot be read, or what it holds is no RVM.
    """
    names = [each for each in npz_names(config.path) if each.startswith(_PARTS)]
    arrays = read_npz(config.path, names, "file of RVM's weights")
    model, patch_size = _model_of(arrays, config.path)
    load_strictly(model, _tensors(arrays, model), str(config.path))
    others = [each for each in npz_names(config.path) if each not in arrays]
    if others:
        _log.info("%s: %d arrays are not the encoder's: %s", config.path, len(others), some_of(others))
    use_fast_linear_layers(model)
    return RvmEncoder(name, model.eval(), patch_size)


def _model_of(arrays: Mapping[str, NDArray[Any]], path: Path) -> tuple[RvmModel, int]:
    blocks = ("encoder/layers_0/", "rnn_core/transformer/xa_blocks_0/")
    try:
        *_, patch_size, _, dimension = arrays[_PATCHES].shape
        heads = [arrays[block + _QUERY].shape[1] for block in blocks]
        hidden = [arrays[block + "mlp/dense_in/kernel"].shape[1] for block in blocks]
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(
            f"{path} holds no RVM: {error} is missing or of another shape; it has "
            f"{some_of(list(arrays)) or 'nothing of it'}. Remedy: take the .npz of google-deepmind's "
            "representations4d."
        ) from error
    depth = [
        len({name.split("/")[block.count("/") - 1] for name in arrays if name.startswith(block[:-2])})
        for block in blocks
    ]
    model = RvmModel(
        dimension=dimension,
        heads=(heads[0], heads[1]),
        hidden=(hidden[0], hidden[1]),
        depth=(depth[0], depth[1]),
        patch_size=patch_size,
    )
    return model, patch_size


def _tensors(arrays: Mapping[str, NDArray[Any]], model: nn.Module) -> dict[str, Tensor]:
    """Flax's arrays under our names; those that the model does not have keep theirs, to be noticed."""
    tensors, rest = {}, {name: torch.from_numpy(array).float() for name, array in arrays.items()}
    for name, value in model.state_dict().items():
        stem, _, kind = _LIST_ENTRY.sub(r"_\1.", name).replace(".", "/").rpartition("/")
        kinds = ("kernel", "scale") if kind == "weight" else (kind,)
        known = next((known for kind in kinds if (known := f"{stem}/{kind}".strip("/")) in rest), None)
        if known is not None:
            tensors[name] = _rearranged(rest.pop(known), name, value.ndim)
    return {**tensors, **rest}


def _rearranged(value: Tensor, name: str, dimensions: int) -> Tensor:
    """Flax keeps what a layer gives last, and what attention computes with split into heads."""
    if dimensions == 1:
        return value.flatten()
    if name == "cls_token" or value.ndim < dimensions:
        return value
    if dimensions == 4:
        return value.flatten(0, value.ndim - 4).permute(3, 2, 0, 1)
    return (value.flatten(0, -2) if name.endswith("out.weight") else value.flatten(1)).T
