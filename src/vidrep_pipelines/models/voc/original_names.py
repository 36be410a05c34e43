"""How GPT-2 checkpoints and the published reward head call what our modules call differently."""

import re

from vidrep_pipelines.common.errors import InputError

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
    found = pattern.fullmatch(name)
    if found is not None:
        block, part, leaf = found["block"], found["part"], found["leaf"]
        known = parts if block is None else block_parts
        if part in known:
            place = "" if block is None else f"{block_prefix}{block}."
            return f"{prefix}{place}{known[part]}.{leaf}"
    raise InputError(f"{name!r} is no parameter of an occupancy GPT.")
