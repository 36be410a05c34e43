"""How the published checkpoints call the parts of ``vae`` and ``musik``."""

from collections.abc import Mapping

from torch import Tensor

from vidrep_pipelines.models.layers.vqgan_weights import original_path, our_path

Prefixes = tuple[tuple[str, str], ...]

CONVOLUTIONAL: Prefixes = (
    ("quantize.embedding.weight", "quantizer.codebook"),
    ("quant_conv.", "to_latents."),
    ("post_quant_conv.", "from_latents."),
    ("encoder.", "encoder."),
)
"""The parts of both: their prefix first, ours second."""


def to_our_names(state: Mapping[str, Tensor], prefixes: Prefixes) -> dict[str, Tensor]:
    """Renames published weights; names without a known prefix stay, so that a check finds them."""
    renamed = {}
    for name, value in state.items():
        theirs, ours = next((pair for pair in prefixes if name.startswith(pair[0])), ("", ""))
        renamed[ours + our_path(name.removeprefix(theirs)) if theirs else name] = value
    return renamed


def to_original_names(state: Mapping[str, Tensor], prefixes: Prefixes) -> dict[str, Tensor]:
    """The inverse of :func:`to_our_names`; tensors without a known prefix are left out."""
    renamed = {}
    for name, value in state.items():
        for theirs, ours in prefixes:
            if name.startswith(ours):
                renamed[theirs + original_path(name.removeprefix(ours), theirs)] = value
                break
    return renamed
