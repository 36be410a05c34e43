"""Records RSP cases from the plain reference, in the layout of the published recordings."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.reference.rsp_published import PublishedNoise, PublishedRsp, PublishedSettings, draw_noise
from safetensors.torch import save_file
from torch import Tensor

LEARNING_RATE = 1e-3
STEPS = 3


def record_pretrain_case(folder: Path, settings: PublishedSettings, batch: int, seed: int) -> None:
    """Writes config.json, io.npz and weights.safetensors of a random model and batch."""
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    model = PublishedRsp(settings)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter), alpha=0.05)
    save_file(
        {name: value.clone() for name, value in model.state_dict().items()}, folder / "weights.safetensors"
    )
    size = settings.img_size
    source, target = torch.randn(2, batch, settings.in_chans, size, size)
    noise = draw_noise(batch, settings, seed)
    content = {"cfg": asdict(settings), "batch": batch, "steps": STEPS}
    optimizer = {
        "name": "AdamW",
        "lr": LEARNING_RATE,
        "betas": [0.9, 0.95],
        "eps": 1e-8,
        "weight_decay": 0.05,
    }
    (folder / "config.json").write_text(json.dumps({**content, "optimizer": optimizer}))
    arrays = {
        "src": source.numpy(),
        "tgt": target.numpy(),
        "noise_tgt": noise.target.numpy(),
        "mask_noise": noise.mask.numpy(),
        "post_index": noise.post_index.numpy(),
        "prior_index": noise.prior_index.numpy(),
    }
    arrays.update(_one_step(model, source, target, noise))
    arrays.update(_optimization(model, source, target, noise))
    np.savez(folder / "io.npz", **arrays)


def _one_step(model: PublishedRsp, source: Tensor, target: Tensor, noise: PublishedNoise) -> dict[str, Any]:
    outputs = model(source, target, noise)
    outputs["loss"].backward()
    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
    gradients = {name: value.grad for name, value in trained.items() if value.grad is not None}
    arrays = {
        name: np.float64(value.item()) if value.ndim == 0 else value.detach().numpy()
        for name, value in outputs.items()
    }
    norms = np.array([float(value.double().norm()) for value in gradients.values()])
    full = {f"grad/{name}": gradients[name].clone().numpy() for name in ("cls_token", "norm.weight")}
    return {
        **arrays,
        **full,
        "grad_names": np.array(list(gradients)),
        "grad_norms": norms,
        "grad_norm_total": np.sqrt((norms**2).sum()),
        "params_without_grad": np.array([name for name in trained if name not in gradients] or [""]),
    }


def _optimization(
    model: PublishedRsp, source: Tensor, target: Tensor, noise: PublishedNoise
) -> dict[str, Any]:
    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
    decayed = [name for name, value in trained.items() if value.ndim >= 2 and not name.endswith(".bias")]
    groups: list[dict[str, Any]] = [
        {"params": [value for name, value in trained.items() if name not in decayed], "weight_decay": 0.0},
        {"params": [trained[name] for name in decayed], "weight_decay": 0.05},
    ]
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=(0.9, 0.95))
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = model(source, target, noise)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    state = model.state_dict()
    return {
        "decay_names": np.array(decayed),
        "adamw_losses": np.array(losses),
        "adamw_lr": np.float64(LEARNING_RATE),
        "param_names": np.array(list(state)),
        "param_norms_after": np.array([float(value.double().norm()) for value in state.values()]),
    }
