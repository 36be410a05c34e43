"""The tokenizer ``musik``: codes, embeddings, losses, gradients, normalization statistics, its layout."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.parity.voc_checks.recorded import (
    LOOSE_TOLERANCE,
    close,
    close_norms,
    codebook_config,
    gradients_of,
    network_config,
    read_arrays,
    read_config,
    read_weights,
)
from vidrep_pipelines.models.voc.tokenizers.config import PixelConfig, QuantizationConfig
from vidrep_pipelines.models.voc.tokenizers.musik.checkpoint_io import infer_config, load_into, to_original
from vidrep_pipelines.models.voc.tokenizers.musik.config import MusikConfig
from vidrep_pipelines.models.voc.tokenizers.musik.model import MusikTokenizer
from vidrep_pipelines.models.voc.tokenizers.musik.objective import MusikLosses, musik_objective

PUBLISHED = QuantizationConfig(weighting="legacy")


def check(folder: Path) -> None:
    recorded, arrays = read_config(folder, "musik"), read_arrays(folder, "musik")
    weights, head = read_weights(folder, "musik"), read_weights(folder, "infonce")
    model = MusikTokenizer(_config(recorded, arrays, weights, head)).train()
    load_into(model, weights, "musik.safetensors", head)
    _check_layout(model, weights, head)
    losses = _losses(model, arrays, recorded["frame_stack"])
    _check_outputs(losses, arrays)
    losses.loss.backward()
    gradients, head_gradients = to_original(gradients_of(model))
    close_norms(recorded["grad_param_names"], gradients, arrays["grad_norms"])
    close_norms(recorded["infonce_grad_param_names"], head_gradients, arrays["infonce_grad_norms"])
    norm = model.action_energy.norm
    assert norm.running_mean is not None and norm.running_var is not None
    close(norm.running_mean, arrays["bn_running_mean_after"], "bn_running_mean_after")
    close(norm.running_var, arrays["bn_running_var_after"], "bn_running_var_after", LOOSE_TOLERANCE)


def _config(
    recorded: dict[str, Any], arrays: dict[str, Tensor], weights: dict[str, Tensor], head: dict[str, Tensor]
) -> MusikConfig:
    config = MusikConfig(
        network=network_config(recorded),
        codes=codebook_config(recorded),
        pixels=PixelConfig(size=arrays["x"].shape[-1], normalization="published"),
        dimension=arrays["enc"].shape[1] // recorded["frame_stack"],
        frame_stack=recorded["frame_stack"],
        action_dimension=recorded["action_dim"],
        hidden_dimension=len(head["projector.layer1.0.weight"]),
    )
    inferred = infer_config(
        weights,
        config.pixels,
        frame_stack=config.frame_stack,
        action_dimension=config.action_dimension,
        image_size=config.network.image_size,
    )
    assert MusikTokenizer(inferred).state_dict().keys() == MusikTokenizer(config).state_dict().keys()
    assert inferred.dimension == config.dimension
    return config


def _check_layout(model: MusikTokenizer, weights: dict[str, Tensor], head: dict[str, Tensor]) -> None:
    for found, expected in zip(to_original(model.state_dict()), (weights, head), strict=True):
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], value) for name, value in expected.items())


def _losses(model: MusikTokenizer, arrays: dict[str, Tensor], frame_stack: int) -> MusikLosses:
    states, later = (arrays[name].unflatten(0, (-1, frame_stack)) for name in ("x", "x_k"))
    return musik_objective(model, states, later, arrays["action"], arrays["negatives"], PUBLISHED)


def _check_outputs(losses: MusikLosses, arrays: dict[str, Tensor]) -> None:
    names = (("codes", "enc"), ("codes_k", "enc_k"))
    for (codes, embedding), quantized, found in zip(names, losses.quantized, losses.embeddings, strict=True):
        assert torch.equal(quantized.codes.reshape(arrays[codes].shape), arrays[codes])
        close(found, arrays[embedding], embedding)
    close(losses.contrastive, arrays["infonce_loss"], "infonce_loss")
    close(losses.codebook, arrays["codebook_loss"], "codebook_loss")
    close(losses.codebook_later, arrays["codebook_loss_k"], "codebook_loss_k")
    close(losses.loss, arrays["musik_loss"], "musik_loss")
