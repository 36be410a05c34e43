"""The architecture of a published checkpoint, read off the shapes of its tensors."""

from collections.abc import Mapping
from math import isqrt

from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.rsp.config import NAMED_SIZES, ModelName, RspModelConfig

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
