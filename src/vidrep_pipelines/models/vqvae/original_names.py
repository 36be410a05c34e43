"""How the published checkpoints call what our model calls differently."""

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.layers.vqgan_weights import original_path, our_path

_PARTS = (
    ("quantize.embedding.weight", "quantizer.codebook"),
    ("quant_conv.", "to_latents."),
    ("post_quant_conv.", "from_latents."),
    ("encoder.", "encoder."),
    ("decoder._2d_decoder.", "decoder.frames."),
    ("decoder._out_conv1.", "decoder.head.0."),
    ("decoder._out_conv2.", "decoder.head.1."),
    ("decoder.", "decoder.frames."),  # without a head
)


def our_name(original: str) -> str:
    """``"encoder.down.0.block.1.nin_shortcut.weight"`` to ``"encoder.levels.0.blocks.1.shortcut.weight"``.

    Raises:
        InputError: The published model has no such parameter.
    """
    for theirs, ours in _PARTS:
        if original.startswith(theirs):
            return ours + our_path(original.removeprefix(theirs))
    raise InputError(f"{original!r} is no parameter of VQ-VAE.")


def original_name(ours: str, *, has_head: bool) -> str:
    """The inverse of :func:`our_name`.

    Args:
        ours: Name of a parameter.
        has_head: Whether the model has the published head over time, which changes the decoder's prefix.

    Raises:
        InputError: The published model has no such parameter.
    """
    parts = _PARTS[:-1] if has_head else [part for part in _PARTS if "._" not in part[0]]
    for theirs, prefix in parts:
        if ours.startswith(prefix):
            return theirs + original_path(ours.removeprefix(prefix), prefix[: len("encoder.")])
    raise InputError(f"{ours!r} is no parameter of the published VQ-VAE.")
