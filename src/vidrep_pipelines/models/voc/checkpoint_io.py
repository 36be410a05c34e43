"""Published weights of the occupancy GPT and the reward head: read, checked, written, in both directions."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.shared.trained import load_strictly
from vidrep_pipelines.models.shared.weight_file import read_weights
from vidrep_pipelines.models.voc.config import GptConfig
from vidrep_pipelines.models.voc.gpt import Gpt
from vidrep_pipelines.models.voc.model import RewardHead, VocModel

_TIED, _EMBEDDING = "lm_head.weight", "transformer.wte.weight"
_MASKS = (".attn.bias", ".attn.masked_bias")


def load_original(path: Path) -> dict[str, Tensor]:
    """Reads the weights of a checkpoint under the names that it uses. Nothing in the file is executed.

    Raises:
        InputError: The file is absent, damaged, of another kind, or asks for code to be run.
    """
    return read_weights(path)


def from_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames a GPT's published weights to ours; constant masks of old files are left out.

    Raises:
        InputError: A name is not GPT-2's, or the head is not tied to the embeddings.
    """
    head = state.get(_TIED)
    if head is not None and not torch.equal(head, state.get(_EMBEDDING, head.new_empty(0))):
        raise InputError(f"{_TIED} differs from {_EMBEDDING}: the weights are not those of a tied GPT-2.")
    return {
        our_name(name): (value.T if is_transposed(name) else value).float().contiguous()
        for name, value in state.items()
        if name != _TIED and not name.endswith(_MASKS)
    }


def to_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames the weights of a :class:`Gpt` to the published names, the tied head included.

    Raises:
        InputError: The model has parts that the published one lacks, such as actions.
    """
    renamed = {original_name(name): value for name, value in state.items()}
    laid_out = {
        name: (value.T if is_transposed(name) else value).contiguous() for name, value in renamed.items()
    }
    return {**laid_out, _TIED: laid_out[_EMBEDDING].clone()}


def load_gpt_into(gpt: Gpt, state: Mapping[str, Tensor], origin: str) -> None:
    """Loads published weights; every tensor must be there and fit.

    Args:
        gpt: Receives the weights.
        state: Weights under the published names.
        origin: What to call them in an error, for example the file's name.

    Raises:
        InputError: Another architecture.
    """
    load_strictly(gpt, from_original(state), origin)


def load_into(model: VocModel, state: Mapping[str, Tensor], origin: str) -> None:
    """Loads a published GPT into the trained network and, as published, its copy into the target network.

    Raises:
        InputError: Another architecture.
    """
    load_gpt_into(model.gpt, state, origin)
    model.synchronize_target()


def load_reward_into(head: RewardHead, state: Mapping[str, Tensor], origin: str) -> None:
    """Loads published weights of a reward head, which take its inputs as they are.

    Raises:
        InputError: Another architecture.
    """
    weights = {our_reward_name(name): value.float() for name, value in state.items()}
    if head.standardizes_places:
        weights |= {"center": torch.zeros_like(head.center), "scale": torch.ones_like(head.scale)}
    load_strictly(head, weights, origin)


def reward_to_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames the weights of a :class:`RewardHead` to the published names."""
    return {original_reward_name(name): value for name, value in state.items()}


def published_gpt(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The GPT of a :class:`VocModel`'s weights under the published names.

    Raises:
        InputError: The model has parts that the published one lacks, such as actions.
    """
    return to_original(_part(state, "gpt."))


def published_reward_head(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The reward head of a :class:`VocModel`'s weights under the published names; empty without a head."""
    return reward_to_original(_without_statistics(_part(state, "reward_head.")))


def _without_statistics(head: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same function without mean and deviation of its inputs, which the first layer takes over."""
    if "center" not in head:
        return head
    center, scale = head.pop("center").double(), head.pop("scale").double()
    weight, bias = head["layers.0.weight"], head["layers.0.bias"]
    scaled = weight.double() / scale
    return head | {
        "layers.0.weight": scaled.to(weight.dtype),
        "layers.0.bias": (bias.double() - scaled @ center).to(bias.dtype),
    }


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value.clone() for name, value in state.items() if name.startswith(prefix)
    }


_PARTS = {
    "wte": "token_embedding",
    "wpe": "position_embedding",
    "ln_f": "norm",
}
_BLOCK_PARTS = {
    "ln_1": "norm_1",
    "attn.c_attn": "attention.qkv",
    "attn.c_proj": "attention.proj",
    "ln_2": "norm_2",
    "mlp.c_fc": "mlp.0",
    "mlp.c_proj": "mlp.2",
}
_REWARD_PARTS = {"l1": "layers.0", "l2": "layers.2", "l3": "layers.4"}
_THEIRS = re.compile(r"transformer\.(?:h\.(?P<block>\d+)\.)?(?P<part>.+)\.(?P<leaf>weight|bias)")
_OURS = re.compile(r"(?:blocks\.(?P<block>\d+)\.)?(?P<part>.+)\.(?P<leaf>weight|bias)")


def our_name(original: str) -> str:
    """``"transformer.h.0.attn.c_attn.weight"`` to ``"blocks.0.attention.qkv.weight"``.

    Raises:
        InputError: GPT-2 has no such parameter.
    """
    return _translate(original, _THEIRS, _PARTS, _BLOCK_PARTS, "blocks.", "")


def original_name(ours: str) -> str:
    """The inverse of :func:`our_name`.

    Raises:
        InputError: GPT-2 has no such parameter.
    """
    parts, block_parts = (_inverse(names) for names in (_PARTS, _BLOCK_PARTS))
    return _translate(ours, _OURS, parts, block_parts, "h.", "transformer.")


def is_transposed(original: str) -> bool:
    """Whether GPT-2 keeps this weight as (in, out), the other way round than a linear layer."""
    return original.endswith((".attn.c_attn.weight", ".c_proj.weight", ".c_fc.weight"))


def our_reward_name(original: str) -> str:
    """``"l1.weight"`` to ``"layers.0.weight"``. Raises InputError for an unknown name."""
    return _renamed(original, _REWARD_PARTS)


def original_reward_name(ours: str) -> str:
    """The inverse of :func:`our_reward_name`."""
    return _renamed(ours, _inverse(_REWARD_PARTS))


def _inverse(names: dict[str, str]) -> dict[str, str]:
    return {value: key for key, value in names.items()}


def _renamed(name: str, parts: dict[str, str]) -> str:
    part, _, leaf = name.rpartition(".")
    if part not in parts:
        raise InputError(f"{name!r} is no parameter of a reward head.")
    return f"{parts[part]}.{leaf}"


def _translate(
    name: str,
    pattern: re.Pattern[str],
    parts: dict[str, str],
    block_parts: dict[str, str],
    block_prefix: str,
    prefix: str,
) -> str:
    match = pattern.fullmatch(name)
    if match is not None:
        block, part, leaf = match["block"], match["part"], match["leaf"]
        known = parts if block is None else block_parts
        if part in known:
            place = "" if block is None else f"{block_prefix}{block}."
            return f"{prefix}{place}{known[part]}.{leaf}"
    raise InputError(f"{name!r} is no parameter of an occupancy GPT.")


_BLOCK = "transformer.h."


def infer_gpt_config(state: Mapping[str, Tensor], *, heads: int) -> GptConfig:
    """Derives the config from weights under the published names, without dropout.

    Args:
        state: The weights.
        heads: Attention heads, which no shape shows; published: 8 for vae and musik, 4 for dino.

    Raises:
        InputError: The tensors are not those of a GPT-2, or cannot be split into so many heads.
    """
    try:
        vocabulary, width = state["transformer.wte.weight"].shape
        positions = len(state["transformer.wpe.weight"])
    except (KeyError, ValueError) as error:
        raise InputError(f"These weights are not those of an occupancy GPT: {error} is missing.") from error
    if width % heads:
        raise InputError(
            f"{width} channels cannot be split into {heads} heads. Remedy: say how many there are."
        )
    layers = {name.removeprefix(_BLOCK).split(".")[0] for name in state if name.startswith(_BLOCK)}
    return GptConfig(vocabulary=vocabulary, positions=positions, layers=len(layers), heads=heads, width=width)
