"""Reading a recorded case of the tokenizers."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tests.parity.discovery import at_precision
from tests.parity.precision import tolerance
from vidrep_pipelines.models.layers.vqgan_config import CodebookConfig, VqganConfig

VALUE_TOLERANCE = 1e-5
LOOSE_TOLERANCE = 1e-4


def read_config(folder: Path, part: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "config.json").read_text())[part]
    return content


def read_arrays(folder: Path, part: str) -> dict[str, Tensor]:
    with np.load(folder / f"{part}.npz", allow_pickle=False) as file:
        return {name: at_precision(torch.from_numpy(np.asarray(file[name]))) for name in file.files}


def read_weights(folder: Path, part: str) -> dict[str, Tensor]:
    """Recorded in half precision, used in the one that is being computed in."""
    weights = load_file(folder / f"{part}.safetensors")
    return {name: at_precision(value) for name, value in weights.items()}


def network_config(recorded: dict[str, Any]) -> VqganConfig:
    network = recorded["ddconfig"]
    return VqganConfig(
        image_size=network["resolution"],
        channels=network["in_channels"],
        width=network["ch"],
        width_multipliers=tuple(network["ch_mult"]),
        residual_blocks=network["num_res_blocks"],
        attention_resolutions=tuple(network["attn_resolutions"]),
        latent_channels=network["z_channels"],
        dropout=network["dropout"],
    )


def codebook_config(recorded: dict[str, Any]) -> CodebookConfig:
    return CodebookConfig(size=recorded["n_embed"], dimension=recorded["embed_dim"])


def close(found: Tensor, expected: Tensor, name: str, stated: float = VALUE_TOLERANCE) -> None:
    torch.testing.assert_close(
        found.detach().to(expected.dtype),
        expected,
        rtol=tolerance(stated),
        atol=tolerance(stated),
        msg=lambda text: f"{name}: {text}",
    )


def close_norms(
    names: Iterable[str], gradients: Mapping[str, Tensor], expected: Tensor, total: Tensor | None = None
) -> None:
    norms = torch.stack([gradients[name].double().norm() for name in names])
    expected = expected.clamp_min(0)  # -1: no gradient at all
    permitted = {"rtol": tolerance(LOOSE_TOLERANCE), "atol": tolerance(VALUE_TOLERANCE)}
    torch.testing.assert_close(norms, expected.double(), **permitted)
    if total is not None:
        torch.testing.assert_close(norms.norm(), total.double(), **permitted)


def gradients_of(model: nn.Module) -> dict[str, Tensor]:
    """Gradients by our names; zero where a parameter got none."""
    return {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for name, parameter in model.named_parameters()
    }
