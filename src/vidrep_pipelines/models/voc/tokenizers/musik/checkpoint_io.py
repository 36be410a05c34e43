"""Checkpoints of the tokenizer ``musik`` in the published layout: the VQ model and the contrastive head."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.layers.vqgan_weights import infer_sizes
from vidrep_pipelines.models.shared.trained import load_strictly
from vidrep_pipelines.models.shared.weight_file import read_weights
from vidrep_pipelines.models.voc.tokenizers.config import PixelConfig
from vidrep_pipelines.models.voc.tokenizers.convolutional import (
    CONVOLUTIONAL,
    to_original_names,
    to_our_names,
)
from vidrep_pipelines.models.voc.tokenizers.musik.config import MusikConfig
from vidrep_pipelines.models.voc.tokenizers.musik.model import MusikTokenizer

_TOKENIZER = (*CONVOLUTIONAL, ("quant_linear.", "frame_head."))
_HEAD = (
    ("projector.layer1.0.", "action_energy.hidden."),
    ("projector.layer1.1.", "action_energy.norm."),
    ("projector.layer2.", "action_energy.energy."),
)
_UNUSED = ("decoder.", "loss.")
_AVERAGES, _ENERGY = "codebook_average.", "action_energy."


def load_original(path: Path) -> dict[str, Tensor]:
    """Reads weights under their published names, without the policy head, which nothing uses.

    Raises:
        InputError: The file is absent, damaged, of another kind, or asks for code to be run.
    """
    return {name: value for name, value in read_weights(path).items() if not name.startswith(_UNUSED)}


def infer_config(
    state: Mapping[str, Tensor],
    pixels: PixelConfig,
    *,
    frame_stack: int,
    action_dimension: int,
    image_size: int = 256,
) -> MusikConfig:
    """The architecture of published weights.

    Args:
        state: Weights of the VQ model under the published names.
        pixels: Size and units of the pictures, which no shape shows.
        frame_stack: Frames of a state.
        action_dimension: Numbers of an action.
        image_size: Side that the network was laid out for, which decides where attention is.

    Raises:
        InputError: They are not those of MUSIK.
    """
    network, codes = infer_sizes(state, image_size)
    if "quant_linear.1.bias" not in state:
        raise InputError("These weights are not those of MUSIK: quant_linear.1.bias is missing.")
    return MusikConfig(
        network=network,
        codes=codes,
        pixels=pixels,
        dimension=len(state["quant_linear.1.bias"]),
        frame_stack=frame_stack,
        action_dimension=action_dimension,
    )


def load_into(
    model: MusikTokenizer,
    state: Mapping[str, Tensor],
    origin: str,
    contrastive_head: Mapping[str, Tensor] | None = None,
) -> None:
    """Loads published weights.

    Args:
        model: Receives them.
        state: The VQ model.
        origin: What to call it in an error.
        contrastive_head: Weights of the contrastive head, a file of its own; needed to train on.

    Raises:
        InputError: Another architecture.
    """
    renamed = to_our_names(state, _TOKENIZER) | to_our_names(contrastive_head or {}, _HEAD)
    absent = (_AVERAGES,) if contrastive_head else (_AVERAGES, _ENERGY)
    load_strictly(model, renamed, origin, optional=lambda name: name.startswith(absent))
    model.start_average()


def to_original(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Our weights under the published names: the VQ model, and the contrastive head."""
    return to_original_names(state, _TOKENIZER), to_original_names(state, _HEAD)
