"""Folders in diffusers' layout, both ways: read and checked strictly, and written from a trained model.

Such a folder has a part in each subfolder: config.json beside ``diffusion_pytorch_model.safetensors``, in one
file or in shards with an index, in full or half precision. Nothing in it is executed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from vidrep_pipelines.common.digest import digest_of, digest_of_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.models.shared.trained import check_architecture, load_strictly
from vidrep_pipelines.models.shared.weight_file import read_weights, write_weights
from vidrep_pipelines.models.vpp.video.config import UnetConfig
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion, unet_arguments

UNET, VAE, SCHEDULER = "unet", "vae", "scheduler"
UNET_CLASS = "UNetSpatioTemporalConditionModel"
_STEM = "diffusion_pytorch_model"
_WEIGHTS = (
    f"{_STEM}.safetensors",
    f"{_STEM}.safetensors.index.json",
    f"{_STEM}.fp16.safetensors",
    f"{_STEM}.safetensors.index.fp16.json",
    f"{_STEM}.fp16.safetensors.index.json",
    f"{_STEM}.bin",
)
"""The names that weights come under, the preferred first; a pickle (.bin) is read for its tensors only."""

_WIDEST, _DEEPEST = 65536, 64
"""Bounds of what a foreign configuration may ask for, so that nothing absurd is built unnoticed."""


@dataclass(frozen=True)
class DiffusersPart:
    """One part of a folder in diffusers' layout.

    Attributes:
        folder: Where it lies.
        config: The content of config.json.
        files: The files with its weights.
    """

    folder: Path
    config: dict[str, Any]
    files: tuple[Path, ...]

    @property
    def digest(self) -> str:
        """Digest of configuration and weights, wherever they lie; it says which start weights were used."""
        config = {name: value for name, value in self.config.items() if not name.startswith("_")}
        return digest_of(config, [digest_of_file(path) for path in self.files])

    def state_dict(self) -> dict[str, Tensor]:
        """All weights on the CPU, in the precision they were saved in.

        Raises:
            InputError: A file is damaged or holds more than weights, or two have the same tensor.
        """
        state: dict[str, Tensor] = {}
        for path in self.files:
            shard = read_weights(path)
            if twice := state.keys() & shard.keys():
                raise InputError(
                    f"{path}: {min(twice)} is in another shard, too. Remedy: copy the folder again."
                )
            state.update(shard)
        return state


def diffusers_part(folder: Path, part: str) -> DiffusersPart:
    """Finds a part of a folder in diffusers' layout; the weights are not read yet.

    Args:
        folder: Holds a subfolder for each part.
        part: Its name, for example ``"unet"``.

    Raises:
        InputError: There is no such part, or its configuration, weights or a shard is missing.
    """
    place = folder / part
    if not (place / "config.json").is_file():
        present = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        raise InputError(
            f"{folder} has no {part}: {part}/config.json is missing (subfolders: "
            f"{', '.join(present) or 'none'}). Remedy: name a whole folder in diffusers' layout, "
            "such as stable-video-diffusion-img2vid."
        )
    config = _json(place / "config.json")
    for name in _WEIGHTS:
        if (place / name).is_file():
            files = _shards(place / name) if name.endswith(".json") else (place / name,)
            return DiffusersPart(place, config, files)
    raise InputError(
        f"{place} has a config.json but no weights ({_WEIGHTS[0]}, in shards or in half precision). Remedy: "
        "download the part's weights as well."
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read ({error}). Remedy: copy it again.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no JSON object. Remedy: copy it again.")
    return content


def _shards(index: Path) -> tuple[Path, ...]:
    """The files that an index names, beside it."""
    names = _json(index).get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise InputError(f"{index} has no weight_map that says which tensor is in which file.")
    files = []
    for name in sorted(set(names.values())):
        if Path(name).name != name:
            raise InputError(f"{index} names {name!r}, which does not lie beside it.")
        if not _is_file(index.parent / name):
            raise InputError(f"{index} names {name}, which is missing. Remedy: download all shards.")
        files.append(index.parent / name)
    return tuple(files)


def _is_file(path: Path) -> bool:
    """Whether there is such a file; where a name is too long for any, there is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def unet_config_of(content: Mapping[str, Any], origin: str) -> UnetConfig:
    """The architecture that a UNet's config.json describes.

    Args:
        content: The configuration.
        origin: What to call it in errors.

    Raises:
        InputError: It is of another class, or of a form that this project has no use for.
    """
    if (name := content.get("_class_name", UNET_CLASS)) != UNET_CLASS:
        raise InputError(f"{origin} describes a {name}, not a {UNET_CLASS}.")
    try:
        channels = content["block_out_channels"]
        config = UnetConfig(
            channels=channels,
            attention=[kind.startswith("CrossAttn") for kind in content["down_block_types"]],
            layers_per_block=_one(content, "layers_per_block"),
            transformer_layers=_one(content, "transformer_layers_per_block", 1),
            heads=_each_level(content["num_attention_heads"], len(channels)),
            cross_attention_dimension=_one(content, "cross_attention_dim"),
            time_embedding_dimension=content["addition_time_embed_dim"],
            latent_channels=content["out_channels"],
            sample_size=content.get("sample_size") or UnetConfig().sample_size,
        )
    except (KeyError, TypeError, AttributeError, ValueError, ValidationError) as error:
        raise InputError(f"{origin} describes no {UNET_CLASS} that can be built ({error}).") from error
    expected = unet_arguments(config)
    levels = {
        "layers_per_block",
        "num_attention_heads",
        "cross_attention_dim",
        "transformer_layers_per_block",
    }
    for key in expected.keys() & content.keys() - levels - {"sample_size"}:
        if content[key] != expected[key]:
            raise InputError(
                f"{origin}: {key} is {content[key]}, where {expected[key]} goes with the rest; such a UNet "
                "cannot be built here."
            )
    _check_size(config, origin)
    return config


def _check_size(config: UnetConfig, origin: str) -> None:
    depths = (len(config.channels), config.layers_per_block, config.transformer_layers)
    widths = (*config.channels, config.cross_attention_dimension, config.time_embedding_dimension)
    if max(depths) > _DEEPEST or max(*widths, config.latent_channels) > _WIDEST:
        raise InputError(f"{origin} asks for a network that no computer holds. Remedy: copy the file again.")


def _one(content: Mapping[str, Any], key: str, default: int | None = None) -> Any:
    """A number that may be given once for each level, if it is the same at all."""
    value = content[key] if default is None else content.get(key, default)
    if not isinstance(value, list):
        return value
    if len(set(value)) != 1:
        raise ValueError(f"{key} differs between levels")
    return value[0]


def _each_level(value: Any, levels: int) -> Any:
    return value if isinstance(value, list) else [value] * levels


def read_unet(folder: Path) -> tuple[UnetConfig, dict[str, Tensor]]:
    """Architecture and weights of the UNet of a folder in diffusers' layout.

    Raises:
        InputError: The folder lacks a part, or holds another network.
    """
    part = diffusers_part(folder, UNET)
    return unet_config_of(part.config, str(part.folder / "config.json")), part.state_dict()


def load_unet(model: VideoDiffusion, folder: Path) -> None:
    """Starts a video model from the UNet of a folder in diffusers' layout, in the model's precision.

    Raises:
        InputError: The folder lacks a part, or its UNet is of another architecture.
    """
    config, state = read_unet(folder)
    wanted, found = (value.model_dump(exclude={"sample_size"}) for value in (model.config.unet, config))
    if different := [key for key in wanted if wanted[key] != found[key]]:
        lines = ", ".join(f"{key} is {found[key]}, asked for {wanted[key]}" for key in different)
        raise InputError(
            f"{folder / UNET}: its UNet is of another architecture: {lines}. Remedy: set model.unet to the "
            "folder's sizes, or start from another folder."
        )
    load_strictly(model.unet, state, str(folder / UNET))


def scheduler_settings() -> dict[str, Any]:
    """The published sampler under diffusers' names, as in its scheduler_config.json."""
    return {
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "interpolation_type": "linear",
        "num_train_timesteps": 1000,
        "prediction_type": "v_prediction",
        "sigma_max": 700.0,
        "sigma_min": 0.002,
        "steps_offset": 1,
        "timestep_spacing": "leading",
        "timestep_type": "continuous",
        "use_karras_sigmas": True,
    }


def write_diffusers_folder(
    folder: Path, config: UnetConfig, state: Mapping[str, Tensor], frames: int, *, half: bool = False
) -> None:
    """Writes a trained UNet and the sampler in diffusers' layout; a VAE's folder can be copied beside them.

    Args:
        folder: Receives ``unet/``, ``scheduler/`` and ``model_index.json``.
        config: The architecture.
        state: Weights of a :class:`VideoDiffusion` (without adapters, see ``adaptation.merged_weights``).
        frames: F, frames of the clips that it was trained on.
        half: Write the weights in half precision, under the name that is used for it.

    Raises:
        InputError: The weights are of another architecture.
    """
    from vidrep_pipelines.compat import diffusers  # noqa: PLC0415 (takes seconds)

    weights = {
        name.removeprefix("unet."): value.detach()
        for name, value in state.items()
        if name.startswith("unet.")
    }
    with torch.device("meta"):
        outline = diffusers.UNetSpatioTemporalConditionModel.from_config(unet_arguments(config))
    check_architecture(weights, outline.state_dict(), "The model")
    if half:
        weights = {name: value.half() for name, value in weights.items()}
    version = {"_diffusers_version": diffusers.__version__}
    unet = {"_class_name": UNET_CLASS, **version, **unet_arguments(config), "num_frames": frames}
    scheduler = {"_class_name": "EulerDiscreteScheduler", **version, **scheduler_settings()}
    _write_json(folder / UNET / "config.json", unet)
    _write_json(folder / SCHEDULER / "scheduler_config.json", scheduler)
    _write_json(folder / "model_index.json", _model_index(version))
    write_weights(weights, folder / UNET / (f"{_STEM}.fp16.safetensors" if half else f"{_STEM}.safetensors"))


def _model_index(version: Mapping[str, str]) -> dict[str, Any]:
    """Which parts there are; the image encoder of Stable Video Diffusion is not used and left out."""
    return {
        "_class_name": "StableVideoDiffusionPipeline",
        **version,
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        SCHEDULER: ["diffusers", "EulerDiscreteScheduler"],
        UNET: ["diffusers", UNET_CLASS],
        VAE: ["diffusers", "AutoencoderKLTemporalDecoder"],
    }


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
