"""A trained video model as others read it: diffusers' layout, and adapters by themselves."""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vidrep_pipelines.common.atomic import atomic_directory
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.shared.catalog_checkpoint import CONFIG, META, Checkpoint, read_json_object
from vidrep_pipelines.models.shared.model_card import CARD, model_card
from vidrep_pipelines.models.shared.trained import trained_model
from vidrep_pipelines.models.shared.weight_file import read_weights, write_weights
from vidrep_pipelines.models.vpp.video.adaptation import adapter_weights
from vidrep_pipelines.models.vpp.video.checkpoint_io import UNET, diffusers_part, write_diffusers_folder
from vidrep_pipelines.models.vpp.video.config import ClipConfig, VideoModelConfig
from vidrep_pipelines.models.vpp.video.inference import load_video_model
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion

ADAPTER, ADAPTER_FACTS = "adapter.safetensors", "adapter.json"
"""What training with adapters changed, and the digest of the weights that it belongs to."""
CONDITIONING = "conditioning.safetensors"
"""The weights of a video model beside its UNet, for which diffusers has no place."""


def export_video_model(checkpoint: Checkpoint, folder: Path, *, half: bool) -> dict[str, Any]:
    """Writes a trained UNet in diffusers' layout, in place of what the folder held.

    Adapters are added to the weights; they are also written by themselves, for those who have the base.

    Args:
        checkpoint: Of the catalog.
        folder: Receives ``unet/``, ``scheduler/`` and ``model_index.json``; beside them a card, and what
            :func:`load_exported_video_model` needs.
        half: Write the UNet in half precision.

    Returns:
        Frames of a clip, whether in half precision, and the facts about adapters if there are any.

    Raises:
        InputError: It is no checkpoint of a video model.
    """
    model, frames = load_video_model(checkpoint)
    facts: dict[str, Any] = {"frames": frames, "half": half}
    with atomic_directory(folder) as partial:
        write_diffusers_folder(partial, model.config.unet, model.state_dict(), frames, half=half)
        beside = {name: value for name, value in model.state_dict().items() if not name.startswith("unet.")}
        write_weights(beside, partial / CONDITIONING)
        _describe(
            partial, {**checkpoint.config, "adaptation": {}}, {**checkpoint.meta, "layout": "diffusers"}
        )
        adaptation = checkpoint.config.get("adaptation") or {}
        if adaptation.get("lora") is not None:
            base = (checkpoint.config.get("digests_of_files") or {}).get("initialize_from")
            facts["adapter"] = {"lora": adaptation["lora"], "base_digest": base}
            write_weights(adapter_weights(checkpoint.state_dict()), partial / ADAPTER)
            (partial / ADAPTER_FACTS).write_text(json.dumps(facts["adapter"], indent=1) + "\n")
    return facts


def _describe(folder: Path, config: dict[str, Any], meta: dict[str, Any]) -> None:
    for name, value in ((CONFIG, config), (META, meta)):
        (folder / name).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    (folder / CARD).write_text(model_card(config, meta, "diffusers"), encoding="utf-8")


def load_exported_video_model(folder: Path) -> tuple[VideoDiffusion, int]:
    """The model that :func:`export_video_model` wrote, in evaluation mode, and the frames F of its clips.

    Raises:
        InputError: The folder holds no such export, or a part of it is missing.
    """
    config = read_json_object(folder / CONFIG)
    try:
        model = VideoModelConfig.model_validate(config["model"])
        frames = ClipConfig.model_validate(config["clips"]).frames
    except (KeyError, ValidationError) as error:
        raise InputError(
            f"{folder} holds no exported video model ({error}). Remedy: run export_vpp_video."
        ) from error
    unet = {f"unet.{name}": value for name, value in diffusers_part(folder, UNET).state_dict().items()}
    return trained_model(VideoDiffusion(model), {**unet, **read_weights(folder / CONDITIONING)}), frames
