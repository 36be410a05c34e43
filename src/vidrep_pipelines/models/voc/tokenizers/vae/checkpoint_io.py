"""Checkpoints of the tokenizer ``vae`` in the layout of taming-transformers."""

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
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeConfig
from vidrep_pipelines.models.voc.tokenizers.vae.model import VaeTokenizer

_PREFIXES = (*CONVOLUTIONAL, ("decoder.", "decoder."))
_NETWORKS_OF_THE_LOSS = "loss."
_LIGHTNING_ENTRY = "state_dict"
_AVERAGES = "codebook_average."


def load_original(path: Path) -> dict[str, Tensor]:
    """Reads weights under their published names, without the networks of the loss (``loss.*``).

    Accepts a bare state dict, as VOC publishes it, a Lightning file (``state_dict``), and ``.safetensors``.

    Raises:
        InputError: The file is absent, damaged, of another kind, or asks for code to be run.
    """
    try:
        weights = read_weights(path, None if path.suffix == ".safetensors" else _LIGHTNING_ENTRY)
    except InputError:
        weights = read_weights(path)  # not wrapped; or says what is wrong with the file itself
    return {name: value for name, value in weights.items() if not name.startswith(_NETWORKS_OF_THE_LOSS)}


def infer_config(state: Mapping[str, Tensor], pixels: PixelConfig, *, image_size: int = 256) -> VaeConfig:
    """The architecture of published weights.

    Args:
        state: Weights under the published names.
        pixels: Size and units of the pictures, which no shape shows.
        image_size: Side that the network was laid out for, which decides where attention is.

    Raises:
        InputError: They are not those of a VQGAN.
    """
    network, codes = infer_sizes(state, image_size)
    return VaeConfig(network=network, codes=codes, pixels=pixels)


def load_into(model: VaeTokenizer, state: Mapping[str, Tensor], origin: str) -> None:
    """Loads published weights; a codebook of averages starts at them, each entry with an even share.

    Raises:
        InputError: Another architecture.
    """
    renamed = to_our_names(state, _PREFIXES)
    load_strictly(model, renamed, origin, optional=lambda name: name.startswith(_AVERAGES))
    model.start_average()


def to_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our weights under the published names; moving averages of the codebook are left out."""
    return to_original_names(state, _PREFIXES)
