"""Published checkpoints of the policy, both ways: read and checked strictly, and written from a trained one.

A published file (`dp-calvin`) holds the Video Former, the denoiser and, without need, the frozen text models.
Only the first two are read. Names and shapes must all fit; the few tensors that the original makes and never
uses are known by name, kept apart, and written back.
"""

import logging
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.shared.trained import check_architecture
from vidrep_pipelines.models.shared.weight_file import read_weights, some_of
from vidrep_pipelines.models.vpp.policy.config import DenoiserConfig, PolicyModelConfig, VideoFormerConfig
from vidrep_pipelines.models.vpp.policy.model import PolicyModel

_log = logging.getLogger(__name__)

FROZEN_PREFIXES = ("TVP_encoder.", "language_goal.")
"""What a published file holds of the frozen text models; it is not read."""

_FORMER, _DENOISER = "Video_Former.", "model.inner_model."

_SHORT = {"query": "q", "key": "k", "value": "v", "output": "out"}

_RENAMED: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"^video_former\.projection\.", _FORMER),
    (r"^video_former\.embedding\.", f"{_FORMER}goal_emb."),
    (r"^video_former\.frame_positions$", f"{_FORMER}time_pos_emb"),
    (r"^video_former\.", _FORMER),
    (r"\.resampler\.feature_norm\.", ".0.norm_media."),
    (r"\.resampler\.token_norm\.", ".0.norm_latents."),
    (r"\.resampler\.(query|key|value|output)\.", lambda match: f".0.to_{_SHORT[match[1]]}."),
    (r"\.frame_attention\.", ".1."),
    (r"^denoiser\.goal_embedding\.", f"{_DENOISER}lang_emb."),
    (r"^denoiser\.video_embedding\.", f"{_DENOISER}tok_emb."),
    (r"^denoiser\.state_embedding\.", f"{_DENOISER}proprio_emb."),
    (r"^denoiser\.action_embedding\.", f"{_DENOISER}action_emb."),
    (r"^denoiser\.action_head\.", f"{_DENOISER}action_pred."),
    # There, the sines are a module in front of the two layers.
    (r"^denoiser\.sigma_embedding\.(\d)\.", lambda match: f"{_DENOISER}sigma_emb.{int(match[1]) + 1}."),
    (r"^denoiser\.(encoder|decoder)_norm\.", rf"{_DENOISER}\1.ln."),
    (r"^denoiser\.(encoder|decoder)\.", rf"{_DENOISER}\1.blocks."),
    (r"\.modulation\.", ".adaLN_zero.modulation."),
    (r"\.attention_norm\.", ".ln_1."),
    (r"\.perceptron_norm\.", ".ln_2."),
    (r"\.cross_norm\.", ".ln3."),
    (r"\.cross_attention\.output\.", ".cross_att.c_proj."),
    (r"\.cross_attention\.", ".cross_att."),
    (r"\.attention\.output\.", ".attn.c_proj."),
    (r"\.attention\.", ".attn."),
)
"""Parts of our names and what stands there in the original, applied in this order."""


def published_policy_name(name: str, former: VideoFormerConfig) -> str:
    """The original's name of one of our tensors."""
    place = 2 if former.kind == "3d" else 1  # behind the attention over frames, which 2d does not have
    parts = {"norm": 0, "fc1": 1, "fc2": 3} if name.startswith("video_former.") else {}
    for ours, number in parts.items():
        name = name.replace(f".perceptron.{ours}.", f".{place}.{number}.")
    name = name.replace(".perceptron.fc1.", ".mlp.c_fc.").replace(".perceptron.fc2.", ".mlp.c_proj.")
    for pattern, replacement in _RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def unused_tensors(config: PolicyModelConfig) -> dict[str, tuple[int | None, ...]]:
    """Names and shapes of what the original makes and never uses; None is a size that does not matter.

    The state's projection is among them where the policy does not see the state.
    """
    sizes, D = config.denoiser, config.denoiser.width
    positions = None if config.former.kind == "linear" else config.former.tokens + 1 + sizes.chunk
    shapes: dict[str, tuple[int | None, ...]] = {"pos_emb": (1, positions, D)}
    shapes |= _two_layers("goal_emb", sizes.goal, D)
    if sizes.proprioception is None:
        shapes |= _two_layers("proprio_emb", None, D)
    return {f"{_DENOISER}{name}": shape for name, shape in shapes.items()}


def _two_layers(name: str, inputs: int | None, width: int) -> dict[str, tuple[int | None, ...]]:
    return {
        f"{name}.0.weight": (2 * width, inputs),
        f"{name}.0.bias": (2 * width,),
        f"{name}.2.weight": (width, 2 * width),
        f"{name}.2.bias": (width,),
    }


@dataclass(frozen=True)
class PublishedPolicy:
    """What a published file holds.

    Attributes:
        config: The architecture.
        state: Its weights under our names.
        unused: What the original makes and never uses, under its names, to write back.
        skipped: Number of tensors of each frozen model that were not read.
    """

    config: PolicyModelConfig
    state: dict[str, Tensor]
    unused: dict[str, Tensor]
    skipped: dict[str, int] = field(default_factory=dict)

    def build(self) -> PolicyModel:
        """The model with these weights, in evaluation mode."""
        model = PolicyModel(self.config)
        model.load_state_dict(self.state)
        return model.eval()


def read_policy(path: Path, config: PolicyModelConfig) -> PublishedPolicy:
    """Reads a published file: ``.safetensors``, or ``{"model": ..., "args": ...}`` as saved by torch.

    Args:
        path: The file; nothing in it is executed.
        config: The architecture, for example that of a preset, or of :func:`policy_config_of`.

    Raises:
        InputError: The file is damaged, or a name or shape does not fit.
    """
    return policy_of(read_weights(path), str(path), config)


def policy_of(weights: Mapping[str, Tensor], origin: str, config: PolicyModelConfig) -> PublishedPolicy:
    """Sorts weights under the original's names, strictly.

    Args:
        weights: All that a file holds.
        origin: What to call it in an error.
        config: The architecture.

    Raises:
        InputError: A name is missing or unknown, or a shape does not fit.
    """
    skipped = Counter(prefix for name in weights for prefix in FROZEN_PREFIXES if name.startswith(prefix))
    tolerated, names = unused_tensors(config), _published_names(config)
    unused = {name: value for name, value in weights.items() if name in tolerated}
    _require_shapes(unused, tolerated, origin)
    found = {
        name: value
        for name, value in weights.items()
        if name not in tolerated and not name.startswith(FROZEN_PREFIXES)
    }
    check_architecture(found, {names[name]: value for name, value in _outline(config).items()}, origin)
    frozen = "".join(f", {count} of {prefix}* not read" for prefix, count in sorted(skipped.items()))
    _log.info("%s: %d tensors read, %d kept that are never used%s", origin, len(found), len(unused), frozen)
    state = {ours: found[theirs] for ours, theirs in names.items()}
    return PublishedPolicy(config, state, unused, dict(skipped))


def policy_config_of(
    weights: Mapping[str, Tensor], origin: str, *, sees_state: bool, former_heads: int = 8, heads: int = 8
) -> PolicyModelConfig:
    """The architecture of weights under the original's names, as far as it shows in their shapes.

    Args:
        weights: All that a file holds.
        origin: What to call them in an error.
        sees_state: Whether the policy sees the robot's state: CALVIN's does not, though its file has weights
            for it.
        former_heads: Heads of the Video Former; published: 8.
        heads: Heads of the denoiser; published: 8.

    Raises:
        InputError: They are no policy's, or one without a Video Former, whose chunk does not show.
    """
    try:
        former = _former_of(weights, former_heads)
        return PolicyModelConfig(former=former, denoiser=_denoiser_of(weights, heads, former, sees_state))
    except (KeyError, IndexError, ValueError) as error:
        raise InputError(
            f"{origin} holds no policy whose sizes can be told ({type(error).__name__}: {error}; it has "
            f"{some_of(sorted(weights))}). Remedy: name a checkpoint with {_FORMER}* and {_DENOISER}*, and "
            "give its configuration if it has other heads than the published ones."
        ) from error


def _former_of(weights: Mapping[str, Tensor], heads: int) -> VideoFormerConfig:
    frames, per_frame, width = weights[f"{_FORMER}latents"].shape
    return VideoFormerConfig(
        kind="3d" if f"{_FORMER}layers.0.1.qkv.weight" in weights else "2d",
        features=weights[f"{_FORMER}goal_emb.0.weight"].shape[1],
        frames=frames,
        width=width,
        tokens=frames * per_frame,
        depth=_layers(weights, f"{_FORMER}layers."),
        heads=heads,
        head_width=weights[f"{_FORMER}layers.0.0.to_q.weight"].shape[0] // heads,
    )


def _denoiser_of(
    weights: Mapping[str, Tensor], heads: int, former: VideoFormerConfig, sees_state: bool
) -> DenoiserConfig:
    width, actions = weights[f"{_DENOISER}action_emb.weight"].shape
    state = weights[f"{_DENOISER}proprio_emb.0.weight"].shape[1] if sees_state else None
    return DenoiserConfig(
        width=width,
        encoder_layers=_layers(weights, f"{_DENOISER}encoder.blocks."),
        decoder_layers=_layers(weights, f"{_DENOISER}decoder.blocks."),
        heads=heads,
        chunk=weights[f"{_DENOISER}pos_emb"].shape[1] - 1 - former.tokens,
        actions=actions,
        goal=weights[f"{_DENOISER}lang_emb.0.weight"].shape[1],
        proprioception=state,
    )


def _layers(weights: Mapping[str, Tensor], prefix: str) -> int:
    return len({name.removeprefix(prefix).split(".")[0] for name in weights if name.startswith(prefix)})


def original_policy_checkpoint(
    config: PolicyModelConfig, state: Mapping[str, Tensor], unused: Mapping[str, Tensor] | None = None
) -> dict[str, Any]:
    """The content of a checkpoint in the published layout, to be written by ``torch.save``.

    Its training configuration is left out: as an object of a class it would keep the file from being read as
    weights only. So are the frozen text models, which the original loads from elsewhere.

    Args:
        config: The architecture.
        state: Weights of a :class:`PolicyModel`.
        unused: What was kept of the file that training started from. What is missing becomes zeros, so that
            the original finds all that it makes.

    Raises:
        InputError: Weights are of another architecture.
        ConfigurationError: The original cannot compute it.
    """
    if config.former.places is not None or config.denoiser.action_positions:
        raise ConfigurationError(
            "The original knows no encodings of places and actions, which this policy was trained with. "
            "Remedy: to export one, train it with vpp_policy.knows_places: false and "
            "model.denoiser.action_positions: false."
        )
    check_architecture(state, _outline(config), "The model")
    kept, tolerated = dict(unused or {}), unused_tensors(config)
    _require_shapes(kept, tolerated, "What is kept of a published file")
    for name, shape in tolerated.items():
        if name not in kept:
            sizes = [_size_for_zeros(name, config) if size is None else size for size in shape]
            kept[name] = torch.zeros(sizes)
    names = _published_names(config)
    return {"model": {**{names[name]: value.detach() for name, value in state.items()}, **kept}}


def _size_for_zeros(name: str, config: PolicyModelConfig) -> int:
    """A size that does not matter: of a state 8 numbers, as CALVIN's; else as with a Video Former."""
    return 8 if ".proprio_emb." in name else config.former.tokens + 1 + config.denoiser.chunk


def _published_names(config: PolicyModelConfig) -> dict[str, str]:
    """The original's name of each of our tensors."""
    return {name: published_policy_name(name, config.former) for name in _outline(config)}


def _outline(config: PolicyModelConfig) -> dict[str, Tensor]:
    """Names and shapes of our tensors."""
    with torch.device("meta"):
        return PolicyModel(config).state_dict()


def _require_shapes(
    unused: Mapping[str, Tensor], tolerated: Mapping[str, tuple[int | None, ...]], origin: str
) -> None:
    """Raises InputError unless unused tensors are those of this architecture."""
    for name, value in unused.items():
        expected = tolerated.get(name)
        if (
            expected is None
            or len(expected) != value.ndim
            or any(size not in (None, there) for size, there in zip(expected, value.shape, strict=True))
        ):
            raise InputError(
                f"{origin} belongs to another architecture: {name} is {tuple(value.shape)}, expected "
                f"{expected}. Remedy: set the model's sizes to those the weights were trained with."
            )
