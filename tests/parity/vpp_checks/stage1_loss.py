"""``stage1_loss.npz``: text, noise levels, the UNet's input and output, loss and gradients of a step."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.parity.discovery import at_precision
from tests.parity.vpp_checks.rounding import Computed, losses_to_rounding, permitted
from vidrep_pipelines.models.vpp.video.checkpoint_io import diffusers_part, load_unet, unet_config_of
from vidrep_pipelines.models.vpp.video.config import TextConfig, VideoModelConfig, VideoObjectiveConfig
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion
from vidrep_pipelines.models.vpp.video.objective import VideoOutputs, VideoRandomness, video_objective

# As the fixtures' README states them: values; norms of gradients. Some norms are zero but for the recording's
# rounding, because a group norm behind the parameter takes it out again: hence a floor.
VALUE_TOLERANCE, NORM_TOLERANCE, NORM_FLOOR = 1e-5, 1e-4, 1e-6


def stage1_model(folder: Path) -> VideoDiffusion:
    """The video model of a recorded case, read as users' folders are."""
    recorded = json.loads((folder / "config.json").read_text())
    unet = diffusers_part(folder / "svd", "unet")
    config = VideoModelConfig(
        unet=unet_config_of(unet.config, str(unet.folder)),
        text=TextConfig(
            tokens=recorded["tok_len"],
            position_encoding=recorded["pos"],
            width=recorded["txt"],
            folder=folder / "clip_text",
        ),
    )
    model = VideoDiffusion(config)
    load_unet(model, folder / "svd")
    return model.eval()


def _arrays(folder: Path) -> dict[str, NDArray[Any]]:
    with np.load(folder / "stage1_loss.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _tensors(folder: Path) -> dict[str, Tensor]:
    numbers = {name: value for name, value in _arrays(folder).items() if value.dtype.kind in "biuf"}
    return {name: at_precision(torch.from_numpy(np.asarray(value))) for name, value in numbers.items()}


def _outputs(folder: Path, model: VideoDiffusion) -> VideoOutputs:
    recorded = _tensors(folder)
    fps, bucket, noise = recorded["added_time_ids"][0].tolist()
    config = VideoObjectiveConfig(frames_per_second=fps, motion_bucket=bucket, noise_augmentation=noise)
    randomness = VideoRandomness(
        text_uniform=recorded["text_keep"].to(recorded["latents"].dtype),  # 1 is above any dropout, 0 below
        sigma_normal=recorded["rnd_normal"].flatten(),
        noise=recorded["noise"],
    )
    ids, mask = recorded["input_ids"], recorded["attention_mask"]
    return video_objective(model, recorded["latents"], ids, mask, randomness, config)


def computed_values(folder: Path) -> Computed:
    """Everything that can be recorded of a step, under the recording's names."""
    recorded, model = _tensors(folder), stage1_model(folder)
    outputs = _outputs(folder, model)
    outputs.loss.backward()  # type: ignore[no-untyped-call]
    sample, c_noise = model.unet_inputs(outputs.noisy, outputs.sigma, outputs.first)
    with torch.no_grad():
        velocity = model.velocity(sample, c_noise, outputs.text, outputs.time_ids)
        text = model.encode_text(recorded["input_ids"], recorded["attention_mask"])
    gradients = {name: parameter.grad for name, parameter in model.unet.named_parameters()}
    norms = [-1.0 if value is None else float(value.double().norm()) for value in gradients.values()]
    return {
        "text_embeds": text,
        "text_keep": outputs.keep,
        "encoder_hidden_states": outputs.text,
        "unet_sample": sample,
        "c_noise": c_noise,
        "added_time_ids": outputs.time_ids,
        "unet_out": velocity,
        "loss": outputs.loss.detach(),
        "grad_norms": torch.tensor(norms, dtype=torch.float64),
        "grad_total_norm": torch.tensor([norm for norm in norms if norm > 0], dtype=torch.float64).norm(),
    }


@cache
def _values(folder: Path, dtype: torch.dtype) -> Computed:
    del dtype  # the default one: what is kept for single precision is not right for double
    return computed_values(folder)


@cache
def _lost(folder: Path) -> dict[str, float]:
    return losses_to_rounding(lambda: computed_values(folder))


def _compare(folder: Path, name: str) -> None:
    """One recorded value, where the case has it."""
    recorded = _arrays(folder)
    if name not in recorded:
        return
    found = _values(folder, torch.get_default_dtype())[name].detach().double().numpy()
    expected = recorded[name].astype(np.float64)
    assert found.shape == expected.shape, f"{name}: {found.shape}, recorded {expected.shape}"
    stated = (NORM_TOLERANCE if name.startswith("grad") else VALUE_TOLERANCE) * max(1, np.abs(expected).max())
    difference = np.abs(found - expected).max()
    assert difference <= permitted(stated, _lost(folder)[name]), f"{name} differs by {difference:.2e}"


def check_text(folder: Path) -> None:
    for name in ("text_embeds", "text_keep", "encoder_hidden_states"):
        _compare(folder, name)


def check_inputs(folder: Path) -> None:
    for name in ("unet_sample", "c_noise", "added_time_ids"):
        _compare(folder, name)


def check_outputs(folder: Path) -> None:
    for name in ("unet_out", "loss"):
        _compare(folder, name)


def check_gradients(folder: Path) -> None:
    """The norm of every parameter's gradient: which have one, and how large it is."""
    recorded = _arrays(folder)
    _compare(folder, "grad_total_norm")
    if "grad_norms" not in recorded:
        return
    names = [name for name, _ in stage1_model(folder).unet.named_parameters()]
    assert set(names) == set(recorded["grad_names"].tolist())
    norms = _values(folder, torch.get_default_dtype())["grad_norms"].tolist()
    found, lost = dict(zip(names, norms, strict=True)), _lost(folder)["grad_norms"]
    for name, norm in zip(recorded["grad_names"].tolist(), recorded["grad_norms"].tolist(), strict=True):
        assert (norm < 0) == (found[name] < 0), name
        far = permitted(NORM_TOLERANCE * abs(norm) + NORM_FLOOR, lost, negligible=NORM_FLOOR)
        assert abs(found[name] - norm) <= far, f"{name}: {found[name]}, recorded {norm}"


STAGE1_LOSS_CHECKS: tuple[Callable[[Path], None], ...] = (
    check_text,
    check_inputs,
    check_outputs,
    check_gradients,
)
