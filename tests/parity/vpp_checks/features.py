"""What a policy reads off the video model of a recorded case."""

from pathlib import Path

import torch

from tests.parity.vpp_checks.case_model import case_arrays, case_config, case_model, near, network_share
from tests.parity.vpp_checks.vae import case_codec
from vidrep_pipelines.models.vpp.video.codec_config import FeaturesConfig
from vidrep_pipelines.models.vpp.video.features import SvdFeatures
from vidrep_pipelines.models.vpp.video.model import preconditioning
from vidrep_pipelines.models.vpp.video.sampling import noise_levels

_SHOWN = [0, 5, 15]


@torch.inference_mode()
def check(folder: Path) -> None:
    """Every recorded value of the folder."""
    recorded, arrays, model = case_config(folder), case_arrays(folder, "features"), case_model(folder)
    observed = [value[:, 0] for name, value in arrays.items() if name.startswith("obs_")]
    scale = model.config.condition_scale
    first = case_codec(folder).encode(torch.cat(observed)) if recorded["pixel_obs"] else torch.cat(observed)
    near(first / scale, arrays["cond_latents"], "cond_latents")
    text = model.encode_text(arrays["input_ids"], arrays["attention_mask"])
    near(text, arrays["text_embeds"], "text_embeds")
    near(preconditioning(noise_levels(20, 0.002, 700)[0]).c_noise, arrays["timestep0"], "timestep0")
    for name, mode in recorded["feat_modes"].items():
        config = FeaturesConfig(block=mode["idx"], all_layers=mode["all"], step=mode["step"])
        told = [config.frames_per_second, config.motion_bucket, config.noise_augmentation]
        assert arrays["added_time_ids"].tolist() == [told] * len(first)
        found = SvdFeatures(model, config)(first, text, arrays["noise"])
        if f"feat_{name}" in arrays:
            near(found, arrays[f"feat_{name}"], name, network_share(folder))
        else:
            near(found[:, _SHOWN], arrays[f"feat_{name}_frames_0_5_15"], name, network_share(folder))
