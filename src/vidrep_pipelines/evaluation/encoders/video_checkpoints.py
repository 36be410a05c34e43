"""V-JEPA 2, V-JEPA 2.1 and VideoMAE from their files: transformers' layout and that of the authors."""

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.encoders.config import VideoMaeEncoderConfig, VjepaEncoderConfig
from vidrep_pipelines.evaluation.encoders.video_transformer import (
    ClipEncoder,
    ClipPositions,
    VideoTransformer,
    VideoTransformerSizes,
)
from vidrep_pipelines.models.layers.linear import use_fast_linear_layers
from vidrep_pipelines.models.shared.trained import load_strictly
from vidrep_pipelines.models.shared.weight_file import (
    read_content,
    some_of,
    state_dict_in,
    without_wrappers,
)

_ENTRIES = ("target_encoder", "ema_encoder", "encoder")
"""Under which V-JEPA's authors keep the encoder; the moving average, which they evaluate, comes first."""
_PARTS = ("patch_embed.", "blocks.", "norm.")
_CHANNELS_PER_HEAD = 64
_HEADS = {1280: 16}
"""Widths of published models whose heads have not 64 channels (ViT-H)."""
_VJEPA_NAMES = (
    (r"^vjepa2\.", ""),
    (r"^encoder\.embeddings\.patch_embeddings\.", "patch_embed."),
    (r"^encoder\.layer\.(\d+)\.attention\.(query|key|value|proj)\.", r"blocks.\1.attn.\2."),
    (r"^encoder\.layer\.", "blocks."),
    (r"^encoder\.layernorm\.", "norm."),
)
_VIDEOMAE_NAMES = (
    (r"^videomae\.", ""),
    (r"^encoder\.(?=patch_embed\.|blocks\.|norm\.)", ""),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^encoder\.layer\.(\d+)\.attention\.attention\.", r"blocks.\1.attn."),
    (r"^encoder\.layer\.(\d+)\.attention\.output\.dense\.", r"blocks.\1.attn.proj."),
    (r"^encoder\.layer\.(\d+)\.intermediate\.dense\.", r"blocks.\1.mlp.fc1."),
    (r"^encoder\.layer\.(\d+)\.output\.dense\.", r"blocks.\1.mlp.fc2."),
    (r"^encoder\.layer\.(\d+)\.layernorm_before\.", r"blocks.\1.norm1."),
    (r"^encoder\.layer\.(\d+)\.layernorm_after\.", r"blocks.\1.norm2."),
    (r"^layernorm\.", "norm."),
)

_log = logging.getLogger(__name__)


class _Published(BaseModel):
    """What ``config.json`` beside weights in transformers' layout says that no tensor shows."""

    model_config = ConfigDict(extra="ignore")

    num_attention_heads: int | None = Field(None, gt=0)
    layer_norm_eps: float | None = Field(None, gt=0)
    num_frames: int = Field(16, gt=0)
    image_size: int = Field(224, gt=0)


def load_vjepa_encoder(name: str, config: VjepaEncoderConfig) -> ClipEncoder:
    """Reads V-JEPA 2 or 2.1; which of the two, and the sizes, follow from the tensors.

    Raises:
        InputError: The file cannot be read, or what it holds is neither.
        ConfigurationError: The window is no whole number of tubelets.
    """
    read = _read(config.path, config.entry)
    published = published_settings(config.path)
    with _shapes_of_others(config.path):
        state = _named(read, _VJEPA_NAMES)
        scaled = "video_mod_embed" in state
        if scaled:
            state = _of_videos(state)
    positions: ClipPositions = "rotary_scaled" if scaled else "rotary"
    epsilon = published.layer_norm_eps or 1e-6
    sizes = _sizes(state, config.path, config.heads or published.num_attention_heads, positions, epsilon)
    return ClipEncoder(name, _filled(sizes, state, config.path), window=config.window)


def load_videomae_encoder(name: str, config: VideoMaeEncoderConfig) -> ClipEncoder:
    """Reads VideoMAE; its window is that of its training.

    Raises:
        InputError: The file cannot be read, or what it holds is no VideoMAE.
    """
    read = _read(config.path, config.entry)
    with _shapes_of_others(config.path):
        state = _named(read, _VIDEOMAE_NAMES)
    published = published_settings(config.path)
    of_authors = any(part.endswith("patch_embed.proj.weight") for part in read)
    epsilon = published.layer_norm_eps or (1e-6 if of_authors else 1e-12)
    heads = config.heads or published.num_attention_heads
    sizes = _sizes(state, config.path, heads, "sines", epsilon, published)
    return ClipEncoder(name, _filled(sizes, state, config.path), window=published.num_frames)


def published_settings(path: Path) -> _Published:
    """What is in ``config.json`` in the folder of the weights; the published defaults where there is none.

    Raises:
        InputError: It is no description of a model.
    """
    beside = path.parent / "config.json"
    if not beside.is_file():
        return _Published.model_validate({})
    try:
        return _Published.model_validate(json.loads(beside.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise InputError(
            f"{beside} describes no model ({error}). Remedy: copy the one published with the weights."
        ) from error


@contextmanager
def _shapes_of_others(path: Path) -> Iterator[None]:
    """Tensors under the right names, but of shapes with which nothing can be computed."""
    try:
        yield
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise InputError(
            f"{path} holds no encoder of clips: its tensors do not go together ({error}). Remedy: name "
            "another kind of encoder."
        ) from error


def _read(path: Path, entry: str | None) -> dict[str, Tensor]:
    content = read_content(path)
    if entry is None and isinstance(content, dict):
        entry = next((name for name in _ENTRIES if isinstance(content.get(name), dict)), None)
    return without_wrappers(state_dict_in(content, path, entry))


def _named(state: Mapping[str, Tensor], names: tuple[tuple[str, str], ...]) -> dict[str, Tensor]:
    """The weights under our names, with queries, keys and values in one."""
    renamed = {}
    for name, value in state.items():
        for pattern, replacement in names:
            name = re.sub(pattern, replacement, name)  # noqa: PLW2901
        renamed[name] = value
    for prefix in sorted({name.partition(".attn.")[0] for name in renamed if ".attn." in name}):
        _join(renamed, f"{prefix}.attn.")
    return renamed


def _join(state: dict[str, Tensor], attention: str) -> None:
    """Queries, keys and values of one attention; VideoMAE's keys have no bias."""
    weights = [state.pop(f"{attention}{part}.weight", None) for part in ("query", "key", "value")]
    if (joined := [weight for weight in weights if weight is not None]) and len(joined) == len(weights):
        state[f"{attention}qkv.weight"] = torch.cat(joined)
    biases = [state.pop(f"{attention}{part}.bias", None) for part in ("query", "key", "value")]
    if all(bias is None for bias in biases):
        biases = [state.pop(f"{attention}q_bias", None), None, state.pop(f"{attention}v_bias", None)]
    weight = state.get(f"{attention}qkv.weight")
    if weight is not None and f"{attention}qkv.bias" not in state:
        zero = weight.new_zeros(len(weight) // 3)
        state[f"{attention}qkv.bias"] = torch.cat([zero if bias is None else bias for bias in biases])


def _of_videos(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """V-JEPA 2.1 as a plain transformer over clips.

    What tells videos from images is added to every patch, so it joins their bias. Of the norms after four of
    the blocks the last one is that of the output.
    """
    joined = dict(state)
    if "patch_embed.proj.bias" in state:
        joined["patch_embed.proj.bias"] = state["patch_embed.proj.bias"] + state["video_mod_embed"].flatten()
    last = max((int(part.split(".")[1]) for part in state if part.startswith("norms_block.")), default=0)
    for part in ("weight", "bias"):
        if (norm := state.get(f"norms_block.{last}.{part}")) is not None:
            joined[f"norm.{part}"] = norm
    return joined


def _sizes(
    state: Mapping[str, Tensor],
    path: Path,
    heads: int | None,
    positions: ClipPositions,
    epsilon: float,
    published: _Published | None = None,
) -> VideoTransformerSizes:
    try:
        dimension, _, tubelet, _, patch_size = state["patch_embed.proj.weight"].shape
        hidden = len(state["blocks.0.mlp.fc1.weight"])
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"{path} holds no encoder of clips: {error} is missing or of another shape; it has "
            f"{some_of(list(state))}. Remedy: name the key of the encoder (entry), or another kind."
        ) from error
    heads = heads or _HEADS.get(dimension, max(1, dimension // _CHANNELS_PER_HEAD))
    if dimension % heads:
        raise InputError(f"{path}: {heads} heads do not share {dimension} channels; set heads.")
    side = 0 if published is None else published.image_size // patch_size
    return VideoTransformerSizes(
        dimension=dimension,
        depth=len({part.split(".")[1] for part in state if part.startswith("blocks.")}),
        heads=heads,
        hidden=hidden,
        patch_size=patch_size,
        tubelet=tubelet,
        positions=positions,
        grid=(0 if published is None else published.num_frames // tubelet, side, side),
        epsilon=epsilon,
        normed="norm.weight" in state,
    )


def _filled(sizes: VideoTransformerSizes, state: Mapping[str, Tensor], path: Path) -> VideoTransformer:
    """Strictly; what belongs to other parts (predictors, decoders, heads) is reported in the log."""
    transformer = VideoTransformer(sizes)
    own = {part: value for part, value in state.items() if part.startswith(_PARTS)}
    load_strictly(transformer, own, str(path))
    if others := [part for part in state if part not in own]:
        _log.info("%s: %d tensors are not the encoder's: %s", path, len(others), some_of(others))
    use_fast_linear_layers(transformer)
    return transformer.eval()
