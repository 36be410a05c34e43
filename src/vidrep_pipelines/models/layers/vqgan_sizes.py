"""The sizes of a published encoder and codebook, read off the shapes of their tensors."""

from collections.abc import Mapping

from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.layers.codebook_config import CodebookConfig
from vidrep_pipelines.models.layers.vqgan_config import VqganConfig


def infer_sizes(state: Mapping[str, Tensor], image_size: int) -> tuple[VqganConfig, CodebookConfig]:
    """Derives the configs from weights under the names of taming-transformers.

    Args:
        state: The weights.
        image_size: Side of the frames that the network was laid out for, which no shape shows.

    Raises:
        InputError: The tensors are not those of a VQ-VAE.
    """
    try:
        width, channels = state["encoder.conv_in.weight"].shape[:2]
        levels = _numbers(state, "encoder.down.")
        outputs = [len(state[f"encoder.down.{level}.block.0.conv1.bias"]) for level in levels]
        size, dimension = state["quantize.embedding.weight"].shape
        latent_channels = len(state["encoder.conv_out.bias"])
    except (KeyError, ValueError) as error:
        raise InputError(f"These weights are not those of a VQ-VAE: {error} is missing.") from error
    uneven = [output for output in outputs if output % width]
    if uneven:
        raise InputError(f"Levels of {uneven} channels are no multiples of the first convolution's {width}.")
    attended = [level for level in levels if f"encoder.down.{level}.attn.0.q.weight" in state]
    network = VqganConfig(
        image_size=image_size,
        channels=channels,
        width=width,
        width_multipliers=tuple(output // width for output in outputs),
        residual_blocks=len(_numbers(state, "encoder.down.0.block.")),
        attention_resolutions=tuple(image_size // 2**level for level in attended),
        latent_channels=latent_channels,
    )
    return network, CodebookConfig(size=size, dimension=dimension)


def _numbers(state: Mapping[str, Tensor], prefix: str) -> list[int]:
    """The numbers that follow the prefix in the names, sorted."""
    found = {name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)}
    return sorted(map(int, found))
