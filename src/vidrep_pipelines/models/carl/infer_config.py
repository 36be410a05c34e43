"""The architecture of a published checkpoint, read off its tensors and its settings."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.carl.config import CarlModelConfig

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
