"""What a policy reads off the video model of a recorded case."""

from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from tests.parity.vpp_checks.case_model import case_arrays, case_config, case_model, near
from tests.parity.vpp_checks.rounding import Computed, losses_to_rounding
from tests.parity.vpp_checks.vae import case_codec
from vidrep_pipelines.models.vpp.video.codec_config import FeaturesConfig
from vidrep_pipelines.models.vpp.video.features import SvdFeatures
from vidrep_pipelines.models.vpp.video.model import preconditioning
from vidrep_pipelines.models.vpp.video.sampling import noise_levels

_SHOWN = [0, 5, 15]


def first_latents(folder: Path) -> Tensor:
    """(V * B, C, h, w) what the cameras see, encoded where they are recorded as pixels."""
    recorded = case_arrays(folder, "features")
    observed = torch.cat([value[:, 0] for name, value in recorded.items() if name.startswith("obs_")])
    return case_codec(folder).encode(observed) if case_config(folder)["pixel_obs"] else observed


def feature_modes(folder: Path) -> dict[str, FeaturesConfig]:
    modes = case_config(folder)["feat_modes"]
    return {
        name: FeaturesConfig(block=mode["idx"], all_layers=mode["all"], step=mode["step"])
        for name, mode in modes.items()
    }


def features(folder: Path) -> Computed:
    """What the UNet gives in every recorded mode."""
    model, arrays, first = case_model(folder), case_arrays(folder, "features"), first_latents(folder)
    text = model.encode_text(arrays["input_ids"], arrays["attention_mask"])
    return {
        name: SvdFeatures(model, config)(first, text, arrays["noise"])
        for name, config in feature_modes(folder).items()
    }


@cache
def _lost(folder: Path) -> dict[str, float]:
    return losses_to_rounding(lambda: features(folder))


@torch.inference_mode()
def check(folder: Path) -> None:
    """Every recorded value of the folder."""
    arrays, model, first = case_arrays(folder, "features"), case_model(folder), first_latents(folder)
    near(first / model.config.condition_scale, arrays["cond_latents"], "cond_latents")
    near(model.encode_text(arrays["input_ids"], arrays["attention_mask"]), arrays["text_embeds"], "text")
    near(preconditioning(noise_levels(20, 0.002, 700)[0]).c_noise, arrays["timestep0"], "timestep0")
    for config in feature_modes(folder).values():
        told = [config.frames_per_second, config.motion_bucket, config.noise_augmentation]
        assert arrays["added_time_ids"].tolist() == [told] * len(first)
    for name, found in features(folder).items():
        whole = f"feat_{name}" in arrays
        expected = arrays[f"feat_{name}" if whole else f"feat_{name}_frames_0_5_15"]
        near(found if whole else found[:, _SHOWN], expected, name, _lost(folder)[name])
