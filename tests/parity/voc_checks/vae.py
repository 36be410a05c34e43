"""The tokenizer ``vae``: codes, reconstructions, losses, gradients, and its layout both ways."""

from pathlib import Path

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
from vidrep_pipelines.models.voc.tokenizers.vae.checkpoint_io import (
    infer_config,
    load_into,
    load_original,
    to_original,
)
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeConfig, VaeObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.vae.model import VaeTokenizer
from vidrep_pipelines.models.voc.tokenizers.vae.objective import vae_objective

PUBLISHED = VaeObjectiveConfig(quantization=QuantizationConfig(weighting="legacy"))


def check(folder: Path) -> None:
    recorded, arrays = read_config(folder, "vae"), read_arrays(folder, "vae")
    pixels = PixelConfig(size=arrays["x"].shape[-1], normalization="published")
    config = VaeConfig(network=network_config(recorded), codes=codebook_config(recorded), pixels=pixels)
    model, weights = VaeTokenizer(config), read_weights(folder, "vae")
    load_into(model, weights, "vae.safetensors")
    _check_layout(folder, model, weights)
    _check_codes(model, arrays, tuple(recorded["grid"]))
    _check_losses(model, arrays, recorded["grad_param_names"])


def _check_layout(folder: Path, model: VaeTokenizer, weights: dict[str, Tensor]) -> None:
    back = to_original(model.state_dict())
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[name], value) for name, value in weights.items())
    assert load_original(folder / "vae.safetensors").keys() == weights.keys()
    side = model.config.network.image_size
    inferred = VaeTokenizer(infer_config(weights, model.pixels, image_size=side))
    load_into(inferred, weights, "inferred")
    assert inferred.state_dict().keys() == model.state_dict().keys()


@torch.no_grad()
def _check_codes(model: VaeTokenizer, arrays: dict[str, Tensor], grid: tuple[int, int]) -> None:
    latents = model.latents(arrays["x"])
    close(latents, arrays["prequant"], "prequant")
    outputs = model(arrays["x"])
    close(outputs.quantized.entries, arrays["quant"], "quant")
    assert outputs.quantized.codes.shape[1:] == grid
    assert torch.equal(outputs.quantized.codes.reshape(arrays["codes"].shape), arrays["codes"])
    assert torch.equal(model.encode(arrays["x"]), outputs.quantized.codes)
    close(outputs.reconstruction, arrays["recon"], "recon", LOOSE_TOLERANCE)
    codes = arrays["codes"].reshape(-1, *grid)
    close(model.decode_codes(codes), arrays["decode_from_codes"], "decode_from_codes", LOOSE_TOLERANCE)
    assert torch.equal(model.decode_codes(codes), outputs.reconstruction)
    standard = model.quantization_loss(outputs.quantized, QuantizationConfig(weighting="corrected"))
    close(standard, arrays["codebook_loss_standard_beta"], "codebook_loss_standard_beta")


def _check_losses(model: VaeTokenizer, arrays: dict[str, Tensor], names: list[str]) -> None:
    losses = vae_objective(model, arrays["x"], PUBLISHED)
    close(losses.pixel, arrays["l1"], "l1")
    close(losses.codebook, arrays["codebook_loss_published"], "codebook_loss_published")
    close(losses.loss, arrays["loss_l1_plus_codebook"], "loss_l1_plus_codebook")
    losses.loss.backward()
    gradients = to_original(gradients_of(model))
    close_norms(names, gradients, arrays["grad_norms"], arrays["total_grad_norm"])
