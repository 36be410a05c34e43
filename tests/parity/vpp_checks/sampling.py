"""Videos of a recorded case: noise levels, final latents, and decoded frames."""

from pathlib import Path

import torch

from tests.parity.vpp_checks.case_model import case_arrays, case_config, case_model, near, network_share
from tests.parity.vpp_checks.vae import case_codec
from vidrep_pipelines.models.vpp.video.config import VideoSamplingConfig
from vidrep_pipelines.models.vpp.video.model import preconditioning
from vidrep_pipelines.models.vpp.video.sampling import noise_levels, sample_video


@torch.inference_mode()
def check(folder: Path) -> None:
    """Every recorded value of the folder."""
    recorded, arrays = case_config(folder), case_arrays(folder, "sampling")
    config = VideoSamplingConfig(steps=recorded["nsteps"], guidance=recorded["cfgw"])
    levels = noise_levels(config.steps, config.sigma_min, config.sigma_max, config.rho)
    near(levels, arrays["sigmas"], "sigmas")
    near(preconditioning(levels[:-1]).c_noise, arrays["timesteps"], "timesteps")
    videos = sample_video(
        case_model(folder), arrays["cond_latent"], arrays["text_embeds"], arrays["init_noise"], config
    )
    near(videos, arrays["latents"], "latents", network_share(folder))
    if "frames_0_5" in arrays:  # the original decodes 7 frames at once across the videos of a batch
        frames = case_codec(folder).decode(arrays["latents"].flatten(0, 1))
        shown = frames.reshape(*videos.shape[:2], *frames.shape[1:])[:, [0, 5]]
        near((shown / 2 + 0.5).clamp(0, 1), arrays["frames_0_5"], "frames_0_5")
