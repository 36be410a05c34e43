"""The architecture of a published GPT, read off the shapes of its tensors."""

from collections.abc import Mapping

from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.voc.config import GptConfig

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
