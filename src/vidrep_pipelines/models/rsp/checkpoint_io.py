"""Published RSP checkpoints: read, checked, written, in both directions and without losing a tensor."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.imagenet import IMAGENET_MEAN, IMAGENET_STD
from vidrep_pipelines.models.rsp.config import NAMED_SIZES, ModelName, RspModelConfig
from vidrep_pipelines.models.rsp.model import RspModel
from vidrep_pipelines.models.shared.trained import check_architecture
from vidrep_pipelines.models.shared.weight_file import WRAPPER_PREFIXES, read_weights, without_wrappers

_ENCODER_PARTS = ("cls_token", "pos_embed", "patch_embed.", "blocks.", "norm.")
_POSITION_TABLES = ("encoder.pos_embed", "decoder.positions")
_TABLE_TOLERANCE = 1e-4
TIMM_ENTRY = "vidrep"
"""Entry of a timm folder's configuration that timm passes over."""


def load_original(path: Path) -> dict[str, Tensor]:
    """Reads the weights of a checkpoint under the names that it uses.

    Accepts a published ``checkpoint-<epoch>.pth`` (its weights are under ``"model"``), a ``.pth`` that is
    itself a state dict, and ``.safetensors``. Nothing in the file is executed.

    Raises:
        InputError: The file is absent, damaged, of another kind, or asks for code to be run.
    """
    return read_weights(path)


def from_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames published weights to ours.

    Raises:
        InputError: A name is not one of the published model's.
    """
    return {our_name(name): value for name, value in without_wrappers(state).items()}


def to_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames our weights to the published names.

    Raises:
        InputError: A name is not one of our model's.
    """
    names = {original_name(name): name for name in state}  # raises before anything is sorted
    ordered = sorted(names.items(), key=lambda pair: published_order(pair[1]))
    return {theirs: state[ours] for theirs, ours in ordered}


def load_into(model: RspModel, state: Mapping[str, Tensor], origin: str) -> None:
    """Loads published weights into the model; every tensor must be there and fit.

    Args:
        model: Receives the weights.
        state: Weights under the published names.
        origin: What to call them in an error, for example the file's name.

    Raises:
        InputError: Another architecture, or positions in another order than the published ones.
    """
    check_architecture(without_wrappers(state), to_original(model.state_dict()), origin)
    renamed, own = from_original(state), model.state_dict()
    for name in _POSITION_TABLES:
        if (renamed[name] - own[name]).abs().max() > _TABLE_TOLERANCE:
            raise InputError(
                f"{origin}: {original_name(name)} is not the fixed sine-cosine table, so it is no RSP model."
            )
    model.load_state_dict(renamed)


@dataclass(frozen=True)
class EncoderState:
    """The encoder's part of a checkpoint.

    Attributes:
        weights: Under timm's names, ready for ``encoder.load_state_dict``.
        ignored: Names in the checkpoint that are not the encoder's.
        missing: Names the encoder has and the checkpoint lacks.
    """

    weights: dict[str, Tensor]
    ignored: tuple[str, ...]
    missing: tuple[str, ...]


def encoder_state(state: Mapping[str, Tensor], expected: Iterable[str]) -> EncoderState:
    """Takes the encoder out of a checkpoint: RSP's, ours, or any that wraps an equal ViT.

    Args:
        state: Weights; ``module.``, ``backbone.``, ``base_encoder.`` and ``encoder.`` prefixes are removed.
        expected: The encoder's own names, ``encoder.state_dict()``.
    """
    own = any(name.startswith("encoder.") for name in state)
    prefixes = ("encoder.",) if own else ()
    plain = {_unwrapped(name, (*WRAPPER_PREFIXES, *prefixes)): name for name in state}
    wanted = {
        short: name
        for short, name in plain.items()
        if short.startswith(_ENCODER_PARTS) and (not own or "encoder." in name)
    }
    return EncoderState(
        weights={short: state[name] for short, name in wanted.items()},
        ignored=tuple(name for name in state if name not in wanted.values()),
        missing=tuple(name for name in expected if name not in wanted),
    )


def timm_config(config: RspModelConfig) -> dict[str, Any]:
    """The ``config.json`` with which ``timm.create_model("local-dir:<folder>")`` builds the encoder.

    Beside it lies ``model.safetensors`` with the encoder's weights, which have timm's names already. timm
    passes over the entry ``vidrep``: the whole model's configuration.
    """
    sizes = {
        "img_size": config.image_size,
        "patch_size": config.patch_size,
        "in_chans": config.channels,
        "embed_dim": config.embedding_dimension,
        "depth": config.depth,
        "num_heads": config.heads,
        "mlp_ratio": config.mlp_ratio,
    }
    pixels = {
        "input_size": (config.channels, config.image_size, config.image_size),
        "fixed_input_size": True,
        "interpolation": "bicubic",
        "crop_pct": 1.0,
        "mean": IMAGENET_MEAN,
        "std": IMAGENET_STD,
        "first_conv": "patch_embed.proj",
        "classifier": "head",
    }
    return {
        "architecture": f"{config.name}_224",  # timm's name; model_args have the sizes
        "num_classes": 0,
        "num_features": config.embedding_dimension,
        "global_pool": "token",
        "model_args": {**sizes, "num_classes": 0, "global_pool": "token"},
        "pretrained_cfg": {**pixels, "num_classes": 0},
        TIMM_ENTRY: config.model_dump(mode="json"),
    }


def original_checkpoint(
    state: Mapping[str, Tensor], *, epoch: int, optimizer: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The content of a checkpoint in the published layout, to be written by ``torch.save``.

    The command line that the published files carry is left out: as an object of a class it would keep the
    file from being read as weights only.

    Args:
        state: Our model's state dict.
        epoch: The finished epoch, counted from 0.
        optimizer: Optimizer state in the published order, see :func:`original_optimizer_state`.
    """
    content: dict[str, Any] = {"model": to_original(state), "epoch": epoch}
    return content if optimizer is None else {**content, "optimizer": dict(optimizer)}


def original_optimizer_state(optimizer: torch.optim.Optimizer, model: RspModel) -> dict[str, Any]:
    """The state of an optimizer of ``model``, numbered as the published training numbers its parameters.

    Groups keep their order (the published one has no weight decay first, weight decay second).
    """
    names = {parameter: name for name, parameter in model.named_parameters()}
    groups: list[dict[str, Any]] = []
    states: dict[int, Any] = {}
    for group in optimizer.param_groups:
        parameters = sorted(group["params"], key=lambda parameter: published_order(names[parameter]))
        numbers = range(len(states), len(states) + len(parameters))
        states.update(
            {number: optimizer.state[item] for number, item in zip(numbers, parameters, strict=True)}
        )
        groups.append({**group, "params": list(numbers)})
    return {"state": states, "param_groups": groups}


def _unwrapped(name: str, prefixes: Iterable[str]) -> str:
    """Removes what training wrappers put before a name."""
    for prefix in prefixes:
        name = name.removeprefix(prefix)
    return name


_PARTS: tuple[tuple[str, str], ...] = (
    ("cls_token", "encoder.cls_token"),
    ("pos_embed", "encoder.pos_embed"),
    ("mask_token", "decoder.mask_token"),
    ("decoder_pos_embed", "decoder.positions"),
    ("patch_embed.", "encoder.patch_embed."),
    ("blocks.", "encoder.blocks."),
    ("norm.", "encoder.norm."),
    ("to_posterior.", "to_posterior."),
    ("to_prior.", "to_prior."),
    ("decoder_embed_mae.", "decoder.embed_masked."),
    ("decoder_embed_deter.", "decoder.embed_source."),
    ("decoder_embed_stoch.", "decoder.embed_latent."),
    ("decoder_blocks.", "decoder.blocks."),
    ("decoder_norm.", "decoder.norm."),
    ("decoder_pred.", "decoder.to_pixels."),
)
_DECODER_BLOCK_PARTS = {
    "norm1": "cross_norm",
    "norm_kv1": "context_norm",
    "cattn": "cross_attention",
    "norm3": "self_norm",
    "attn": "self_attention",
    "norm4": "mlp_norm",
    "mlp2": "mlp",
}
_DECODER_BLOCK_PARTS_BACK = {ours: theirs for theirs, ours in _DECODER_BLOCK_PARTS.items()}


def our_name(original: str) -> str:
    """``"decoder_blocks.0.cattn.q.weight"`` to ``"decoder.blocks.0.cross_attention.q.weight"``.

    Raises:
        InputError: The published model has no such parameter.
    """
    return _translate(original, _PARTS, "decoder_blocks.", _DECODER_BLOCK_PARTS)


def original_name(ours: str) -> str:
    """The inverse of :func:`our_name`.

    Raises:
        InputError: Our model has no such parameter.
    """
    parts = [(new, old) for old, new in _PARTS]
    return _translate(ours, parts, "decoder.blocks.", _DECODER_BLOCK_PARTS_BACK)


def published_order(ours: str) -> int:
    """Sorting our names by this number, stably, gives the order of the published model's parameters."""
    return next(place for place, (_, part) in enumerate(_PARTS) if ours.startswith(part))


def _translate(
    name: str, parts: Iterable[tuple[str, str]], block_prefix: str, block_parts: dict[str, str]
) -> str:
    for old, new in parts:
        if name == old or (old.endswith(".") and name.startswith(old)):
            rest = name.removeprefix(old)
            if old != block_prefix:
                return new + rest
            number, part, *leaf = rest.split(".")
            if part in block_parts:
                return ".".join([new + number, block_parts[part], *leaf])
    raise InputError(f"{name!r} is no parameter of RSP.")


_DECODER_CHANNELS_PER_HEAD = 32
_CHANNELS_PER_HEAD = 64


def infer_model_config(
    state: Mapping[str, Tensor], *, heads: int | None = None, latent_variables: int | None = None
) -> RspModelConfig:
    """Derives the config from weights under the published names.

    Args:
        state: The weights.
        heads: Attention heads of the encoder, which no shape shows. Default: 64 channels each, as published.
        latent_variables: Variables of the latent, which no shape shows. Default: as many as classes.

    Raises:
        InputError: The tensors are not those of an RSP model.
    """
    try:
        projection = state["patch_embed.proj.weight"]
        dimension, channels, patch_size, _ = projection.shape
        decoder_dimension, sample_size = state["decoder_embed_stoch.weight"].shape
        parameter_count = len(state["to_prior.2.bias"])
        patches = state["pos_embed"].shape[1] - 1
        hidden = len(state["blocks.0.mlp.fc1.bias"])
    except (KeyError, ValueError) as error:
        raise InputError(f"These weights are not those of an RSP model: {error} is missing.") from error
    continuous = parameter_count == 2 * sample_size
    variables = sample_size if continuous else latent_variables or isqrt(sample_size)
    if sample_size % variables:
        raise InputError(f"A latent of {sample_size} numbers is not {variables} variables; say how many.")
    return RspModelConfig(
        name=_name_of(dimension, patch_size),
        image_size=isqrt(patches) * patch_size,
        patch_size=patch_size,
        channels=channels,
        embedding_dimension=dimension,
        depth=_count(state, "blocks."),
        heads=heads or max(1, dimension // _CHANNELS_PER_HEAD),
        decoder_dimension=decoder_dimension,
        decoder_depth=_count(state, "decoder_blocks."),
        decoder_heads=max(1, decoder_dimension // _DECODER_CHANNELS_PER_HEAD),
        mlp_ratio=hidden / dimension,
        latent="continuous" if continuous else "discrete",
        latent_variables=variables,
        latent_classes=32 if continuous else sample_size // variables,
    )


def _name_of(dimension: int, patch_size: int) -> ModelName:
    """The named size with this width and patch, or the default's name for sizes of one's own."""
    for name, sizes in NAMED_SIZES.items():
        if sizes["embedding_dimension"] == dimension and sizes["patch_size"] == patch_size:
            return name
    return "vit_small_patch16"


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    return len({name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)})
