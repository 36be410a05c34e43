"""The architecture of a published checkpoint, read off the shapes of its tensors."""

from collections.abc import Mapping

from torch import Tensor

from vidrep_pipelines.models.layers.vqgan_weights import infer_sizes
from vidrep_pipelines.models.vqvae.config import VqvaeModelConfig

_HEAD_PREFIX = "decoder._2d_decoder."


def infer_model_config(state: Mapping[str, Tensor], *, image_size: int = 64) -> VqvaeModelConfig:
    """Derives the config from weights under the published names.

    Args:
        state: The weights.
        image_size: Side of the frames it was trained with, which no shape shows.

    Raises:
        InputError: The tensors are not those of a published VQ-VAE.
    """
    network, codebook = infer_sizes(state, image_size)
    decoder = "3d" if any(name.startswith(_HEAD_PREFIX) for name in state) else "2d"
    return VqvaeModelConfig.model_validate({**network.model_dump(), "codebook": codebook, "decoder": decoder})
