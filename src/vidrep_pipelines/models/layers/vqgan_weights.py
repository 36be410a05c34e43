"""Published weights of the VQGAN family: the sizes they show, and their tensors' names."""

from collections.abc import Mapping

from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.layers.vqgan_config import CodebookConfig, VqganConfig


def infer_sizes(
    state: Mapping[str, Tensor], image_size: int, groups: int = 32
) -> tuple[VqganConfig, CodebookConfig]:
    """Derives the configs from weights under the names of taming-transformers.

    Args:
        state: The weights.
        image_size: Side of the frames that the network was laid out for, which no shape shows.
        groups: Groups of its normalizations, which no shape shows either; 32 in all that is published.

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
    if any(output % groups for output in (width, *outputs)):
        raise InputError(
            f"Levels of {outputs} channels cannot be normalized in {groups} groups, as the published code "
            "does."
        )
    attended = [level for level in levels if f"encoder.down.{level}.attn.0.q.weight" in state]
    network = VqganConfig(
        image_size=image_size,
        channels=channels,
        width=width,
        width_multipliers=tuple(output // width for output in outputs),
        residual_blocks=len(_numbers(state, "encoder.down.0.block.")),
        attention_resolutions=tuple(image_size // 2**level for level in attended),
        latent_channels=latent_channels,
        groups=groups,
    )
    return network, CodebookConfig(size=size, dimension=dimension)


def _numbers(state: Mapping[str, Tensor], prefix: str) -> list[int]:
    """The numbers that follow the prefix in the names, sorted."""
    numbers = {name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)}
    return sorted(map(int, numbers))


_PIECES = {
    "conv_in": "convolution_in",
    "conv_out": "convolution_out",
    "conv1": "convolution1",
    "conv2": "convolution2",
    "conv": "convolution",
    "nin_shortcut": "shortcut",
    "block": "blocks",
    "attn": "attentions",
    "downsample": "resample",
    "upsample": "resample",
    "down": "levels",
    "up": "levels",
    "mid": "middle",
    "block_1": "before",
    "attn_1": "attention",
    "block_2": "after",
    "q": "query",
    "k": "key",
    "v": "value",
    "proj_out": "output",
}
_PIECES_BACK = {ours: theirs for theirs, ours in _PIECES.items()}
_DIRECTIONS = {
    "encoder.": {"levels": "down", "resample": "downsample"},
    "decoder.": {"levels": "up", "resample": "upsample"},
}


def our_path(original: str) -> str:
    """``"encoder.down.0.block.1.nin_shortcut.weight"`` to ``"encoder.levels.0.blocks.1.shortcut.weight"``."""
    return _translated(original, _PIECES)


def original_path(ours: str, network: str) -> str:
    """The inverse of :func:`our_path`.

    Args:
        ours: Path of a parameter, as a whole or below the network.
        network: ``"encoder."`` or ``"decoder."``, which call some parts differently; others are as they are.
    """
    return _translated(ours, _PIECES_BACK | _DIRECTIONS.get(network, {}))


def _translated(name: str, pieces: dict[str, str]) -> str:
    return ".".join(pieces.get(piece, piece) for piece in name.split("."))
