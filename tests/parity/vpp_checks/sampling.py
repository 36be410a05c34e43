"""Videos of a recorded case: noise levels, final latents, and decoded frames."""

from functools import cache
from pathlib import Path

import torch

from tests.parity.vpp_checks.case_model import case_arrays, case_config, case_model, near
from tests.parity.vpp_checks.rounding import Computed, losses_to_rounding
from tests.parity.vpp_checks.vae import case_codec
from vidrep_pipelines.models.vpp.video.config import VideoSamplingConfig
from vidrep_pipelines.models.vpp.video.model import preconditioning
from vidrep_pipelines.models.vpp.video.sampling import noise_levels, sample_video


def sampled(folder: Path) -> Computed:
    """What the UNet makes of the recorded noise."""
    arrays, config = case_arrays(folder, "sampling"), sampling_config(folder)
    first, text, noise = arrays["cond_latent"], arrays["text_embeds"], arrays["init_noise"]
    return {"latents": sample_video(case_model(folder), first, text, noise, config)}


def sampling_config(folder: Path) -> VideoSamplingConfig:
    recorded = case_config(folder)
    return VideoSamplingConfig(steps=recorded["nsteps"], guidance=recorded["cfgw"])


@cache
def _lost(folder: Path) -> dict[str, float]:
    return losses_to_rounding(lambda: sampled(folder))


@torch.inference_mode()
def check(folder: Path) -> None:
    """Every recorded value of the folder."""
    arrays, config = case_arrays(folder, "sampling"), sampling_config(folder)
    levels = noise_levels(config.steps, config.sigma_min, config.sigma_max, config.rho)
    near(levels, arrays["sigmas"], "sigmas")
    near(preconditioning(levels[:-1]).c_noise, arrays["timesteps"], "timesteps")
    videos = sampled(folder)["latents"]
    near(videos, arrays["latents"], "latents", _lost(folder)["latents"])
    if "frames_0_5" in arrays:  # the original decodes 7 frames at once across the videos of a batch
        frames = case_codec(folder).decode(arrays["latents"].flatten(0, 1))
        shown = frames.reshape(*videos.shape[:2], *frames.shape[1:])[:, [0, 5]]
        near((shown / 2 + 0.5).clamp(0, 1), arrays["frames_0_5"], "frames_0_5")
