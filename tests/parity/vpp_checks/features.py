"""What a policy reads off the video model of a recorded case."""

from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from tests.parity.vpp_checks.case_model import case_arrays, case_config, case_model, near
from tests.parity.vpp_checks.rounding import Computed, losses_to_rounding
from tests.parity.vpp_checks.vae import case_codec
from vidrep_pipelines.models.vpp.policy.features_config import (
    PolicyFeaturesConfig,
    ReductionConfig,
    features_shape,
)
from vidrep_pipelines.models.vpp.video.codec_config import FeaturesConfig
from vidrep_pipelines.models.vpp.video.features import SvdFeatures
from vidrep_pipelines.models.vpp.video.model import preconditioning
from vidrep_pipelines.models.vpp.video.sampling import noise_levels


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
        expected, shown = _recorded(arrays, f"feat_{name}", found.shape[1])
        near(found[:, shown], expected, name, _lost(folder)[name])
        frames, size = found.shape[1], (int(first.shape[-2]), int(first.shape[-1]))
        config = PolicyFeaturesConfig(
            read=feature_modes(folder)[name], reduction=ReductionConfig(kind="full")
        )
        assert features_shape(model.config.unet, config, frames, size) == tuple(found.shape[1:])


def _recorded(arrays: dict[str, Tensor], name: str, frames: int) -> tuple[Tensor, list[int]]:
    """What was recorded of a mode, and which frames: all, or those that the record's name says."""
    if name in arrays:
        return arrays[name], list(range(frames))
    [some] = [other for other in arrays if other.startswith(f"{name}_frames_")]
    return arrays[some], [int(number) for number in some.removeprefix(f"{name}_frames_").split("_")]
