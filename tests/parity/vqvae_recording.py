"""Records VQ-VAE cases in the layout of the published recordings, from this project's own model.

They show no parity. They show that cases of other sizes, options and records are found, read and compared.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.parity.vqvae_checks.model import model_config, objective_config
from vidrep_pipelines.models.vqvae.checkpoint_io import original_name, to_original
from vidrep_pipelines.models.vqvae.config import VqvaeDataConfig
from vidrep_pipelines.models.vqvae.model import VqvaeModel
from vidrep_pipelines.models.vqvae.objective import LossNetworks, vqvae_objective

FULL = "encoder.conv_in.weight"

OPTIONS: dict[str, Any] = {
    "ddconfig": {
        "resolution": 8, "in_channels": 3, "ch": 32, "ch_mult": [1, 1], "num_res_blocks": 1,
        "attn_resolutions": [], "z_channels": 6, "dropout": 0.0,
    },
    "n_embed": 11, "embed_dim": 5, "key": "2d", "beta": 0.3, "legacy": False,
}  # fmt: skip
VARIANTS = {
    name: {
        "pixelloss_weight": pixel,
        "perceptual_weight_2d": 0.0,
        "codebook_weight": 0.7,
        "fvd_mu_weight": 0.0,
        "fvd_cov_weight": 0.0,
    }
    for name, pixel in (("pixels", 1.0), ("codes_only", 0.0))
}


def record_vqvae_case(folder: Path, seed: int) -> None:
    """Writes config.json, weights.safetensors and data.npz, with no record of the decoder's inner layers."""
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    model, x = VqvaeModel(model_config(OPTIONS)).train(), torch.randn(3, 3, 8, 8)
    with torch.no_grad():
        outputs = model(x)
        arrays = {
            "x": x,
            "encoder_out": model.encoder(x),
            "ze": model.latents(x),
            "zq": outputs.quantized.entries,
            "codes": outputs.quantized.codes,
            "recon": outputs.reconstruction,
        }
    found: dict[str, Any] = {name: value.numpy() for name, value in arrays.items()}
    shares = np.unique(found["codes"], return_counts=True)[1] / found["codes"].size
    found["perplexity"] = np.exp(-(shares * np.log(shares)).sum())
    config = {
        "model": OPTIONS,
        "loss_variants": VARIANTS,
        "seeds": {"vgg": seed, "lins": seed, "i3d": seed},
        "codes_used": len(shares),
    }
    (folder / "config.json").write_text(json.dumps(config))
    weights = {name: value.clone() for name, value in to_original(model.state_dict()).items()}
    save_file(weights, folder / "weights.safetensors")
    for variant, settings in VARIANTS.items():
        found |= {f"{variant}/{name}": value for name, value in _one_step(model, x, settings).items()}
    np.savez(folder / "data.npz", **found)


def _one_step(model: VqvaeModel, x: Tensor, settings: dict[str, float]) -> dict[str, Any]:
    model.zero_grad()
    losses = vqvae_objective(model, x, objective_config(OPTIONS, settings), VqvaeDataConfig(), LossNetworks())
    losses.loss.backward()
    gradients = {
        original_name(name, has_head=False): parameter.grad for name, parameter in model.named_parameters()
    }
    norms = [-1.0 if value is None else float(value.double().norm()) for value in gradients.values()]
    zero = np.float64(0)
    return {
        "total_loss": np.float64(losses.loss.item()),
        "rec_loss": np.float64(losses.reconstruction.item()),
        "pixel_loss": np.float64(losses.pixel.item()),
        "quant_loss": np.float64(losses.codebook.item()),
        **dict.fromkeys(("perc_2d_loss", "fvd_loss", "fvd_mu_loss", "fvd_cov_loss"), zero),
        "grad_names": np.array(list(gradients)),
        "grad_norms": np.array(norms),
        "grad_total_norm": np.float64(np.linalg.norm(np.clip(norms, 0, None))),
        f"grad/{FULL}": gradients[FULL],
    }
