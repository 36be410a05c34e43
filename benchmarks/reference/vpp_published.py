"""Sampling as in diffusers' image-to-video pipeline and in the published policy; the published data set."""

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidrep_pipelines.models.vpp.policy.model import PolicyModel

SCHEDULER: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "sigma_min": 0.002,
    "sigma_max": 700.0,
    "use_karras_sigmas": True,
    "timestep_type": "continuous",
    "timestep_spacing": "leading",
    "steps_offset": 1,
}


@torch.no_grad()
def published_video(
    unet: Any, condition: Tensor, text: Tensor, noise: Tensor, steps: int, guidance: float
) -> Tensor:
    """Final latents (B, F, C, h, w); condition (B, C, h, w) as the network gets it."""
    from vidrep_pipelines.compat import diffusers  # noqa: PLC0415 (takes seconds)

    scheduler = diffusers.EulerDiscreteScheduler(**SCHEDULER)
    scheduler.set_timesteps(steps)
    guided, frames = guidance > 1, noise.shape[1]
    images = condition.unsqueeze(1).repeat(1, frames, 1, 1, 1)
    ids = torch.tensor([[7.0, 127.0, 0.02]]).repeat(len(noise), 1)
    if guided:
        images, ids = torch.cat([images] * 2), torch.cat([ids] * 2)
        text = torch.cat([torch.zeros_like(text), text])
    weights = torch.linspace(1.0, guidance, frames)[None, :, None, None, None]
    latents: Tensor = noise * scheduler.init_noise_sigma
    for timestep in scheduler.timesteps:
        both = torch.cat([latents] * 2) if guided else latents
        sample = torch.cat([scheduler.scale_model_input(both, timestep), images], dim=2)
        velocity = unet(sample, timestep, encoder_hidden_states=text, added_time_ids=ids).sample
        if guided:
            without, with_text = velocity.chunk(2)
            velocity = without + weights * (with_text - without)
        latents = scheduler.step(velocity, timestep, latents).prev_sample
    return latents


def published_item(folder: Path, annotation: Path, camera: int, start: int, frames: int) -> Tensor:
    """Latents (F, C, h, w) of consecutive frames: the annotation and the episode's whole file are read."""
    label = json.loads(annotation.read_text())
    path = folder / label["latent_videos"][camera]["latent_video_path"]
    latents: Tensor = torch.load(path, map_location="cpu", weights_only=True)
    ids = [min(start + step, label["video_length"] - 1) for step in range(frames)]
    return latents[ids].float()


@torch.no_grad()
def published_actions(
    model: PolicyModel, video: Tensor, goal: Tensor, start: Tensor, levels: Tensor
) -> Tensor:
    """A chunk of actions (B, A, a) by DDIM; goal and video tokens are encoded anew at every step.

    The published decoder also makes keys and values of context tokens that no action may see; this one does
    not, so that only the encoding differs.
    """
    actions = start
    falling: list[float] = levels.tolist()
    for sigma, lower in pairwise(falling):
        context = model.denoiser.encode(video, goal)
        denoised = model.denoise(actions, torch.full((len(actions),), sigma), context)
        gap = math.log(sigma) - math.log(lower) if lower else math.inf
        actions = (lower / sigma) * actions - math.expm1(-gap) * denoised
    return actions
