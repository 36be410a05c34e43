"""How the published RSP checkpoints call what our model calls differently.

The order is the order in which the published model registers its parameters.
"""

from collections.abc import Iterable

from vidrep_pipelines.common.errors import InputError

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
