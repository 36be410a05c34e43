"""Plain ViTs from the files of original repositories."""

import logging
from collections.abc import Mapping
from math import isqrt
from pathlib import Path

from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.encoders.config import OriginalEncoderConfig
from vidrep_pipelines.evaluation.encoders.transformer import TransformerEncoder
from vidrep_pipelines.models.layers.encoder import VisionTransformerEncoder
from vidrep_pipelines.models.layers.linear import use_fast_linear_layers
from vidrep_pipelines.models.shared.weight_file import read_weights, some_of, without_wrappers

_ENCODER_PARTS = ("cls_token", "pos_embed", "patch_embed.", "blocks.", "norm.")
_CHANNELS_PER_HEAD = 64

_log = logging.getLogger(__name__)


def load_original_encoder(name: str, config: OriginalEncoderConfig) -> TransformerEncoder:
    """Reads a file that holds the weights of a ViT, alone or with other parts around it.

    Everything that the encoder has must be there and fit; what belongs to other parts (decoders, heads) is
    left out and reported in the log.

    Raises:
        InputError: The file cannot be read, or what it holds is no plain ViT with learned or fixed positions.
    """
    state = without_wrappers(read_weights(config.path, config.entry))
    encoder = _encoder_of(state, config)
    own = {part: value for part, value in state.items() if part.startswith(_ENCODER_PARTS)}
    _require_same(own, encoder.state_dict(), config.path)
    encoder.load_state_dict(own)
    others = [part for part in state if part not in own]
    if others:
        _log.info("%s: %d tensors are not the encoder's: %s", config.path, len(others), some_of(others))
    use_fast_linear_layers(encoder)
    patch_size = state["patch_embed.proj.weight"].shape[-1]
    return TransformerEncoder(
        name, encoder.eval(), stride=patch_size, positions=config.positions, mean=config.mean, std=config.std
    )


def _encoder_of(state: Mapping[str, Tensor], config: OriginalEncoderConfig) -> VisionTransformerEncoder:
    """An encoder of the sizes that the tensors have."""
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
    return VisionTransformerEncoder(
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
