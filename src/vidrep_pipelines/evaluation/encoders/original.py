"""ViTs from the files of original repositories: plain ones, and those in DINOv2's layout."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import isqrt
from pathlib import Path

from torch import Tensor, nn

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.compat import timm
from vidrep_pipelines.evaluation.encoders.config import OriginalEncoderConfig
from vidrep_pipelines.evaluation.encoders.transformer import TransformerEncoder
from vidrep_pipelines.models.layers.encoder import VisionTransformerEncoder
from vidrep_pipelines.models.layers.linear import use_fast_linear_layers
from vidrep_pipelines.models.shared.weight_file import read_weights, some_of, without_wrappers

_ENCODER_PARTS = (
    *("cls_token", "pos_embed", "reg_token", "register_tokens"),
    *("patch_embed.", "blocks.", "norm."),
)
_CHANNELS_PER_HEAD = 64
_CHUNK = re.compile(r"^blocks\.\d+\.(?=\d+\.)")
"""Training programs of DINOv2's lineage keep blocks in chunks, whose numbers go on from chunk to chunk."""

_log = logging.getLogger(__name__)


def load_original_encoder(name: str, config: OriginalEncoderConfig) -> TransformerEncoder:
    """Reads a file that holds the weights of a ViT, alone or with other parts around it.

    Everything that the encoder has must be there and fit; what belongs to other parts (decoders, heads) is
    left out and reported in the log. Registers and scales of DINOv2's layout, which T-CoRe has too, are
    known.

    Raises:
        InputError: The file cannot be read, or what it holds is no such ViT with learned or fixed positions.
    """
    read = without_wrappers(read_weights(config.path, config.entry))
    state = {_CHUNK.sub("blocks.", part): value for part, value in read.items()}
    sizes = _sizes_of(state, config)
    encoder: nn.Module
    if _has_scales(state):
        registers = state["register_tokens"].numel() // sizes.dimension if "register_tokens" in state else 0
        encoder, state = _scaled_encoder(sizes, registers), _with_places_of_patches_only(state)
        prefix, table_prefix = 1 + registers, 0
    else:
        encoder, prefix, table_prefix = _plain_encoder(sizes), 1, 1
    own = {part: value for part, value in state.items() if part.startswith(_ENCODER_PARTS)}
    _require_same(own, encoder.state_dict(), config.path)
    encoder.load_state_dict(own)
    others = [part for part in state if part not in own]
    if others:
        _log.info("%s: %d tensors are not the encoder's: %s", config.path, len(others), some_of(others))
    use_fast_linear_layers(encoder)
    return TransformerEncoder(
        name,
        encoder.eval(),
        stride=sizes.patch_size,
        prefix=prefix,
        table_prefix=table_prefix,
        positions=config.positions,
        mean=config.mean,
        std=config.std,
    )


@dataclass(frozen=True)
class _Sizes:
    """What the tensors of a ViT show of its architecture."""

    image_size: int
    patch_size: int
    channels: int
    dimension: int
    depth: int
    heads: int
    mlp_ratio: float


def _plain_encoder(sizes: _Sizes) -> VisionTransformerEncoder:
    return VisionTransformerEncoder(
        image_size=sizes.image_size,
        patch_size=sizes.patch_size,
        channels=sizes.channels,
        dimension=sizes.dimension,
        depth=sizes.depth,
        heads=sizes.heads,
        mlp_ratio=sizes.mlp_ratio,
    )


def _scaled_encoder(sizes: _Sizes, registers: int) -> nn.Module:
    """A ViT whose blocks scale their outputs, with so many registers; only patches have positions."""
    network: nn.Module = timm.models.vision_transformer.VisionTransformer(
        img_size=sizes.image_size,
        patch_size=sizes.patch_size,
        in_chans=sizes.channels,
        embed_dim=sizes.dimension,
        depth=sizes.depth,
        num_heads=sizes.heads,
        mlp_ratio=sizes.mlp_ratio,
        num_classes=0,
        global_pool="",
        init_values=1.0,
        reg_tokens=registers,
        no_embed_class=True,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
    )
    return network


def _has_scales(state: Mapping[str, Tensor]) -> bool:
    return all(f"blocks.0.{scale}.gamma" in state for scale in ("ls1", "ls2"))


def _with_places_of_patches_only(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """DINOv2's weights for :func:`_scaled_encoder`: the position of CLS becomes a part of CLS."""
    renamed = {("reg_token" if part == "register_tokens" else part): value for part, value in state.items()}
    if "cls_token" in renamed and renamed["cls_token"].shape == renamed["pos_embed"][:, :1].shape:
        renamed["cls_token"] = renamed["cls_token"] + renamed["pos_embed"][:, :1]
    renamed["pos_embed"] = renamed["pos_embed"][:, 1:]
    return renamed


def _sizes_of(state: Mapping[str, Tensor], config: OriginalEncoderConfig) -> _Sizes:
    """The sizes that the tensors have."""
    try:
        dimension, channels, _, patch_size = state["patch_embed.proj.weight"].shape
        grid = isqrt(state["pos_embed"].shape[1] - 1)
        hidden = len(state["blocks.0.mlp.fc1.bias"])
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{config.path} holds no plain ViT: {error} is missing; it has {some_of(list(state))}. "
            "Remedy: if the weights are under another key, set entry; for other architectures use kind timm."
        ) from error
    blocks = {part.split(".")[1] for part in state if part.startswith("blocks.")}
    heads = config.heads or max(1, dimension // _CHANNELS_PER_HEAD)
    if dimension % heads:
        raise InputError(f"{config.path}: {heads} heads do not share {dimension} channels; set heads.")
    return _Sizes(
        image_size=grid * patch_size,
        patch_size=patch_size,
        channels=channels,
        dimension=dimension,
        depth=len(blocks),
        heads=heads,
        mlp_ratio=hidden / dimension,
    )


def _require_same(own: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path) -> None:
    """Tensors that the encoder does not have would change what it computes, so they are no less an error."""
    differences = [f"{name} is missing" for name in expected if name not in own]
    differences += [f"{name} is unknown" for name in own if name not in expected]
    differences += [
        f"{name} is {tuple(own[name].shape)}, expected {tuple(value.shape)}"
        for name, value in expected.items()
        if name in own and own[name].shape != value.shape
    ]
    if differences:
        raise InputError(
            f"{path} is no plain ViT: {some_of(differences)}. Remedy: load it by kind timm under its "
            "model's name."
        )
