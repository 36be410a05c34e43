"""Published CARL checkpoints: read, checked, written, in both directions and without losing a tensor."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.carl.config import CarlModelConfig
from vidrep_pipelines.models.carl.model import CarlModel, parameter_groups
from vidrep_pipelines.models.shared.trained import load_strictly
from vidrep_pipelines.models.shared.weight_file import read_content, state_dict_in

_WEIGHTS_ENTRY, _SETTINGS_ENTRY = "model_state", "cfg"
_COUNTER = "num_batches_tracked"
# The published files keep their settings in this class; an ordered dict is the dict with attributes that the
# restricted unpickler can fill.
_SETTINGS_CLASSES: list[Any] = [(OrderedDict, "easydict.EasyDict")]


@dataclass(frozen=True)
class CarlCheckpoint:
    """A published checkpoint.

    Attributes:
        weights: Under the published names.
        settings: The configuration of its training, as nested dicts; empty if the file holds none.
        epoch: The finished epoch, counted from 0; None if the file does not say.
    """

    weights: dict[str, Tensor]
    settings: dict[str, Any] = field(default_factory=dict)
    epoch: int | None = None


def load_original(path: Path) -> CarlCheckpoint:
    """Reads a published ``checkpoint_epoch_<n>.pth``, a bare state dict, or ``.safetensors``.

    Nothing in the file is executed.

    Raises:
        InputError: The file is absent, damaged, of another kind, or asks for code to be run.
    """
    with torch.serialization.safe_globals(_SETTINGS_CLASSES):
        content = read_content(path)
    if isinstance(content, dict) and _WEIGHTS_ENTRY in content:
        weights = state_dict_in(content, path, _WEIGHTS_ENTRY)
        settings, epoch = _plain(content.get(_SETTINGS_ENTRY) or {}), content.get("epoch")
        return CarlCheckpoint(weights, settings, epoch if isinstance(epoch, int) else None)
    return CarlCheckpoint(state_dict_in(content, path))


def _plain(settings: Any) -> Any:
    if isinstance(settings, Mapping):
        return {str(name): _plain(value) for name, value in settings.items()}
    if isinstance(settings, list | tuple):
        return [_plain(value) for value in settings]
    return settings


def from_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames published weights to ours.

    Raises:
        InputError: A name is not one of the published model's.
    """
    return {our_name(name.removeprefix("module.")): value for name, value in state.items()}


def to_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames our weights to the published names.

    Raises:
        InputError: A name is not one of our model's.
    """
    return {original_name(name): value for name, value in state.items()}


def load_into(model: CarlModel, state: Mapping[str, Tensor], origin: str) -> None:
    """Loads published weights into the model; every tensor must be there and fit.

    Only the counters of batch norms may be missing.

    Args:
        model: Receives the weights.
        state: Weights under the published names.
        origin: What to call them in an error, for example the file's name.

    Raises:
        InputError: Another architecture.
    """
    load_strictly(model, from_original(state), origin, optional=is_counter)


def with_layers(state: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Published weights for a transformer of more layers: those that are missing are copies of the last one.

    As published, training starts from layers that are all alike; so do those that are added.

    Args:
        state: Weights under the published names, of one layer or more.
        layers: How many layers the model has; weights of as many, or of none, stay as they are.
    """
    state = {name.removeprefix("module."): value for name, value in state.items()}
    there = len(_numbers(state, _LAYERS))
    added = {
        f"{_LAYERS}{number}.{name.removeprefix(last)}": value.clone()
        for last in ([f"{_LAYERS}{there - 1}."] if there else [])
        for number in range(there, layers)
        for name, value in state.items()
        if name.startswith(last)
    }
    return {**state, **added}


def is_counter(name: str) -> bool:
    """Whether this is a counter of a batch norm, from which nothing is computed."""
    return name.endswith(_COUNTER)


def original_checkpoint(
    state: Mapping[str, Tensor],
    *,
    epoch: int,
    settings: Mapping[str, Any],
    optimizer: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of a checkpoint in the published layout, to be written by ``torch.save``.

    Args:
        state: Our model's state dict.
        epoch: The finished epoch, counted from 0.
        settings: The configuration under its published names, see ``original_settings``; written as plain
            dicts, so that the file can be read as weights only.
        optimizer: Optimizer state in the published order, see :func:`original_optimizer_state`.
    """
    return {
        "epoch": epoch,
        _WEIGHTS_ENTRY: to_original(state),
        "optimizer_state": dict(optimizer or {}),
        _SETTINGS_ENTRY: _plain(settings),
    }


def original_optimizer_state(optimizer: torch.optim.Optimizer, model: CarlModel) -> dict[str, Any]:
    """The state of an optimizer of ``model``, numbered as the published training numbers its parameters."""
    options = {name: value for name, value in optimizer.param_groups[0].items() if name != "params"}
    states: dict[int, Any] = {}
    groups: list[dict[str, Any]] = []
    for group in parameter_groups(model, options["weight_decay"]):
        numbers = range(len(states), len(states) + len(group["params"]))
        pairs = zip(numbers, group["params"], strict=True)
        states.update({number: optimizer.state[parameter] for number, parameter in pairs})
        groups.append({**options, "params": list(numbers)})
    return {"state": states, "param_groups": groups}


_PARTS = (
    ("backbone.0.", "backbone.conv1."),
    ("backbone.1.", "backbone.bn1."),
    ("backbone.4.", "backbone.layer1."),
    ("backbone.5.", "backbone.layer2."),
    ("backbone.6.", "backbone.layer3."),
    ("res_finetune.", "backbone.layer4."),
    ("embed.fc_layers.", "head.perceptrons."),
    ("embed.conv_layers.", "head.convolutions."),
    ("embed.video_emb.", "head.to_tokens."),
    ("embed.video_encoder.enc_layers.", "head.layers."),
    ("embed.embedding_layer.", "head.to_embedding."),
    ("ssl_projection.net.", "projection."),
    ("classifier.fc_layers.", "classifier."),
)
_LAYER_PARTS = (
    ("res_layer0.norm.", "attention_norm."),
    ("res_layer1.norm.", "feedforward_norm."),
    ("self_att.linear_Q2d.", "attention.query."),
    ("self_att.linear_K2d.", "attention.key."),
    ("self_att.linear_V2d.", "attention.value."),
    ("self_att.linear_d2Q.", "attention.output."),
    ("feed_forward.fc1.", "expand."),
    ("feed_forward.fc2.", "contract."),
)


def our_name(original: str) -> str:
    """``"res_finetune.0.conv1.weight"`` to ``"backbone.layer4.0.conv1.weight"``.

    Raises:
        InputError: The published model has no such parameter.
    """
    return _translated(original, _PARTS, _LAYER_PARTS)


def original_name(ours: str) -> str:
    """The inverse of :func:`our_name`.

    Raises:
        InputError: Our model has no such parameter.
    """
    parts, layer_parts = ([(new, old) for old, new in table] for table in (_PARTS, _LAYER_PARTS))
    return _translated(ours, parts, layer_parts)


def _translated(
    name: str,
    parts: list[tuple[str, str]] | tuple[tuple[str, str], ...],
    layer_parts: list[tuple[str, str]] | tuple[tuple[str, str], ...],
) -> str:
    for old, new in parts:
        if not name.startswith(old):
            continue
        rest = name.removeprefix(old)
        if not old.endswith("layers.") or not rest.partition(".")[2].startswith(_starts(layer_parts)):
            return new + rest
        number, _, inner = rest.partition(".")
        return f"{new}{number}." + next(
            after + inner.removeprefix(before) for before, after in layer_parts if inner.startswith(before)
        )
    raise InputError(f"{name!r} is no parameter of CARL.")


def _starts(parts: list[tuple[str, str]] | tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    return tuple(old for old, _ in parts)


_UNPUBLISHED = "UNPUBLISHED"
"""Settings that the original does not have, and that no shape shows."""
_UNPUBLISHED_FIELDS = ("positions", "standardize_features")
_LAYERS = "embed.video_encoder.enc_layers."


def infer_model_config(
    state: Mapping[str, Tensor],
    settings: Mapping[str, Any] | None = None,
    *,
    frames: int | None = None,
    heads: int = 8,
    context_frames: int = 2,
) -> CarlModelConfig:
    """Derives the config from weights under the published names.

    Args:
        state: The weights.
        settings: What the file says about its training, for the number of frames of a view and whether
            embeddings have unit length.
        frames: Frames T of a training view, which no shape shows; overrides the settings.
        heads: Attention heads, which no shape shows either.
        context_frames: Frames at each position of a convolutional model.

    Raises:
        InputError: The tensors are not those of CARL, or nobody says how many frames a view had.
    """
    settings = settings or {}
    frames = frames or _setting(settings, "TRAIN", "NUM_FRAMES")
    if not isinstance(frames, int):
        raise InputError(
            "The checkpoint does not say how many frames its training views had, without which it means "
            "nothing. Remedy: give frames (published: 240 for Pouring and FineGym, 80 for PennAction)."
        )
    try:
        sizes = {**_backbone(state), **_head(state, heads, context_frames)}
    except KeyError as error:
        raise InputError(f"These weights are not those of CARL: {error} is missing.") from error
    normalize = _setting(settings, "MODEL", "L2_NORMALIZE")
    ours = {name: _setting(settings, _UNPUBLISHED, name) for name in _UNPUBLISHED_FIELDS}
    sizes |= {name: value for name, value in ours.items() if value is not None}
    return CarlModelConfig(frames=frames, normalize=normalize is not False, **sizes)


def _backbone(state: Mapping[str, Tensor]) -> dict[str, Any]:
    stages = ("backbone.4.", "backbone.5.", "backbone.6.", "res_finetune.")
    return {
        "stage_widths": tuple(len(state[f"{stage}0.conv1.weight"]) for stage in stages),
        "stage_blocks": tuple(len(_numbers(state, stage)) for stage in stages),
    }


def _head(state: Mapping[str, Tensor], heads: int, context_frames: int) -> dict[str, Any]:
    projection, classifier = state.get("ssl_projection.net.0.bias"), state.get("classifier.fc_layers.1.bias")
    sizes: dict[str, Any] = {
        "hidden_width": len(state["embed.fc_layers.1.bias"]),
        "embedding_width": len(state["embed.embedding_layer.bias"]),
        "projection_width": None if projection is None else len(projection),
        "classes": None if classifier is None else len(classifier),
    }
    if "embed.video_emb.bias" in state:
        return {
            **sizes,
            "token_width": len(state["embed.video_emb.bias"]),
            "feedforward_width": len(state[f"{_LAYERS}0.feed_forward.fc1.bias"]),
            "layers": len(_numbers(state, _LAYERS)),
            "heads": heads,
        }
    local = {**sizes, "context_frames": context_frames, "first_trained_stage": 0, "frames_per_block": None}
    convolution = state.get("embed.conv_layers.0.bias")
    if convolution is None:
        return {**local, "encoder": "vanilla"}
    return {**local, "encoder": "conv", "convolution_width": len(convolution)}


def _numbers(state: Mapping[str, Tensor], prefix: str) -> set[str]:
    """The numbers that follow the prefix in the names."""
    return {name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)}


def _setting(settings: Mapping[str, Any], *path: str) -> Any:
    value: Any = settings
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def original_settings(config: CarlModelConfig) -> dict[str, Any]:
    """The settings that a checkpoint in the published layout must carry to be understood again."""
    settings = {"TRAIN": {"NUM_FRAMES": config.frames}, "MODEL": {"L2_NORMALIZE": config.normalize}}
    unpublished = unpublished_settings(config)
    return {**settings, _UNPUBLISHED: unpublished} if unpublished else settings


def unpublished_settings(config: CarlModelConfig) -> dict[str, Any]:
    """What makes the original code compute something else from the same weights; empty: nothing."""
    ours, published = config.model_dump(), CarlModelConfig().model_dump()
    return {name: ours[name] for name in _UNPUBLISHED_FIELDS if ours[name] != published[name]}
