"""Published VQ-VAE checkpoints: read, checked, written, in both directions and without losing a tensor."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.layers.vqgan_weights import infer_sizes, original_path, our_path
from vidrep_pipelines.models.shared.trained import load_strictly
from vidrep_pipelines.models.shared.weight_file import read_content, state_dict_in
from vidrep_pipelines.models.vqvae.config import (
    ROBONET_MEAN,
    ROBONET_STD,
    VqvaeDataConfig,
    VqvaeModelConfig,
)
from vidrep_pipelines.models.vqvae.model import VqvaeModel

_WEIGHTS_ENTRY = "model_state_dict"
_FROZEN_NETWORKS = "loss."
_DISCRIMINATOR = "discriminator."
_TRAINING_ONLY = (_DISCRIMINATOR, "codebook_average.")
_UNPUBLISHED_ENTRY = "unpublished"
"""Entry of a file that we wrote: what the original code does not have, and no shape shows."""
# The best metrics so far, which the published files carry, may be numbers of NumPy's.
_NUMPY_NUMBERS: list[Any] = [
    np._core.multiarray.scalar,  # type: ignore[attr-defined]
    (np._core.multiarray.scalar, "numpy.core.multiarray.scalar"),  # type: ignore[attr-defined]
    np.dtype,
    type(np.dtype(np.float32)),
    type(np.dtype(np.float64)),
]


def load_original(path: Path) -> dict[str, Tensor]:
    """Reads the weights of a checkpoint under the names that it uses, without the networks of its loss.

    Accepts a published ``<step>.ckpt`` (weights under ``"model_state_dict"``), a file that is itself a state
    dict, and ``.safetensors``. Nothing in the file is executed.

    Raises:
        InputError: The file is absent, damaged, of another kind, or asks for code to be run.
    """
    return read_original(path)[0]


def read_original(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights as :func:`load_original` reads them, and what :func:`unpublished_settings` noted there.

    Raises:
        InputError: The file is absent, damaged, of another kind, or asks for code to be run.
    """
    with torch.serialization.safe_globals(_NUMPY_NUMBERS):
        content = read_content(path)
    wrapped = isinstance(content, dict) and _WEIGHTS_ENTRY in content
    weights = state_dict_in(content, path, _WEIGHTS_ENTRY if wrapped else None)
    noted = content.get(_UNPUBLISHED_ENTRY) if wrapped else None
    kept = {name: value for name, value in weights.items() if not name.startswith(_FROZEN_NETWORKS)}
    return kept, dict(noted) if isinstance(noted, dict) else {}


def from_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames published weights to ours; the networks of the loss are left out.

    Raises:
        InputError: A name is not one of the published model's.
    """
    return {our_name(name): value for name, value in state.items() if not name.startswith(_FROZEN_NETWORKS)}


def to_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames our weights to the published names; what only training needs is left out.

    Raises:
        InputError: The model has parts that the published one lacks.
    """
    has_head = "decoder.head.0.weight" in state
    return {
        original_name(name, has_head=has_head): value
        for name, value in state.items()
        if not name.startswith(_TRAINING_ONLY)
    }


def load_into(model: VqvaeModel, state: Mapping[str, Tensor], origin: str) -> None:
    """Loads published weights into the model; every tensor must be there and fit.

    A codebook that follows moving averages starts them at the published entries, each with an even share.

    Args:
        model: Receives the weights.
        state: Weights under the published names.
        origin: What to call them in an error, for example the file's name.

    Raises:
        InputError: Another architecture.
    """
    load_strictly(model, from_original(state), origin, optional=lambda name: name.startswith(_TRAINING_ONLY))
    if model.codebook_average is not None:
        model.codebook_average.start(model.quantizer)


def without_discriminator(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under our names as a model for use has them, which is built without a discriminator."""
    return {name: value for name, value in state.items() if not name.startswith(_DISCRIMINATOR)}


def original_checkpoint(
    state: Mapping[str, Tensor],
    *,
    step: int,
    optimizer: Mapping[str, Any] | None = None,
    unpublished: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of a checkpoint in the published layout, to be written by ``torch.save``.

    Args:
        state: Our model's state dict.
        step: Updates done.
        optimizer: Optimizer state in the published order, see :func:`original_optimizer_state`.
        unpublished: See :func:`unpublished_settings`; noted in an entry that the original does not read.
    """
    content: dict[str, Any] = {"step": step, _WEIGHTS_ENTRY: to_original(state)}
    content |= {} if optimizer is None else {"opt_state_dict": dict(optimizer)}
    return {**content, _UNPUBLISHED_ENTRY: dict(unpublished)} if unpublished else content


def unpublished_settings(model: VqvaeModelConfig, data: VqvaeDataConfig) -> dict[str, Any]:
    """What makes the original code compute something else from the same weights; empty: nothing.

    ``groups`` of the normalizations, kind of ``codes`` and their ``levels``, ``mean`` and ``std`` of the
    pixels: these stand in the original's code, and no tensor shows them.
    """
    published = VqvaeModelConfig()
    pairs = {
        "groups": (model.groups, published.groups),
        "codes": (model.codebook.codes, published.codebook.codes),
        "levels": (list(model.codebook.levels), list(published.codebook.levels)),
        "mean": (list(data.mean), list(ROBONET_MEAN)),
        "std": (list(data.std), list(ROBONET_STD)),
    }
    return {name: ours for name, (ours, theirs) in pairs.items() if ours != theirs}


def original_optimizer_state(optimizer: torch.optim.Optimizer, model: VqvaeModel) -> dict[str, Any]:
    """The state of an optimizer of ``model`` in one group, numbered as the published training numbers it."""
    parameters = [
        parameter
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and not name.startswith(_TRAINING_ONLY)
    ]
    group = {name: value for name, value in optimizer.param_groups[0].items() if name != "params"}
    return {
        "state": {number: optimizer.state[parameter] for number, parameter in enumerate(parameters)},
        "param_groups": [{**group, "params": list(range(len(parameters)))}],
    }


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


_HEAD_PREFIX = "decoder._2d_decoder."
_CODES = ("codes", "levels")


def infer_model_config(
    state: Mapping[str, Tensor], *, image_size: int = 64, unpublished: Mapping[str, Any] | None = None
) -> VqvaeModelConfig:
    """Derives the config from weights under the published names.

    Args:
        state: The weights.
        image_size: Side of the frames it was trained with, which no shape shows.
        unpublished: What :func:`read_original` found noted beside them.

    Raises:
        InputError: The tensors are not those of a published VQ-VAE.
    """
    noted = unpublished or {}
    network, inferred = infer_sizes(state, image_size, int(noted.get("groups", VqvaeModelConfig().groups)))
    codebook = {**inferred.model_dump(), **{name: noted[name] for name in _CODES if name in noted}}
    decoder = "3d" if any(name.startswith(_HEAD_PREFIX) for name in state) else "2d"
    return VqvaeModelConfig.model_validate({**network.model_dump(), "codebook": codebook, "decoder": decoder})
