"""What another camera sees at first as an embedding beside the instruction: CLIP's image model, frozen.

An option of Video Prediction Policy (`use_img_cond`, arXiv 2412.14803) that every published configuration
leaves off. Only the first frame of the clip, seen by another camera of the same episode, is looked at.
"""

import json
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.models.shared.trained import check_architecture
from vidrep_pipelines.models.shared.weight_file import read_weights
from vidrep_pipelines.models.vpp.video.config import ImageConditionConfig, TextConfig
from vidrep_pipelines.models.vpp.video.text import FrozenNetwork, transformers_weights

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""What CLIP's pictures in 0..1 are normalised with: red, green, blue."""

_FOLDER = "text.image.folder"


def build_image_encoder(config: TextConfig) -> "ClipImageEncoder | None":
    """The model of the other camera's picture; None where it is not looked at.

    Raises:
        ConfigurationError: Its folder is not named.
        InputError: The folder holds no such model.
    """
    if config.image is None:
        return None
    return ClipImageEncoder(clip_image_folder(config, config.image), config.image.width)


def clip_image_folder(text: TextConfig, image: ImageConditionConfig) -> Path:
    """The folder of CLIP's image model: its own, or that of the text model.

    Raises:
        ConfigurationError: Neither is named.
    """
    folder = image.folder or text.folder
    if folder is None:
        raise ConfigurationError(
            f"{_FOLDER} is not set, and neither is text.folder. Remedy: name a folder in transformers' "
            "layout with CLIP's image model (clip-vit-base-patch32)."
        )
    return folder


def image_files(config: TextConfig) -> dict[str, Path | None]:
    """The files on which the picture's embedding depends, by what they are called in messages.

    A checkpoint holds no copy of the frozen image model but the digests of these files.
    """
    if config.image is None:
        return {}
    folder = clip_image_folder(config, config.image)
    paths = [transformers_weights(folder, "image model", _FOLDER), folder / "config.json"]
    return {f"{_FOLDER}/{path.name}": path for path in paths if path.is_file()}


class ClipImageEncoder(FrozenNetwork):
    """CLIP's image model with its projection, frozen."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, folder: Path, width: int) -> None:
        """Reads config.json and the weights, strictly.

        Args:
            folder: In transformers' layout; of a whole CLIP, the image half is read.
            width: What the embedding must have.

        Raises:
            InputError: The folder holds no such image model.
        """
        model = read_clip_image_model(folder)
        if (found := model.config.projection_dim) != width:
            raise InputError(
                f"{folder} holds an image model of {found} numbers a picture, and text.image.width is "
                f"{width}. Remedy: correct either."
            )
        super().__init__(model)
        self.side = int(model.config.image_size)
        for name, values in (("mean", CLIP_MEAN), ("deviation", CLIP_DEVIATION)):
            self.register_buffer(name, torch.tensor(values).reshape(1, 3, 1, 1), persistent=False)

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in 0..1 to embeddings (B, W).

        They are resized to the model's own square, 224 x 224 for the published one, whatever their shape.
        """
        resized = F.interpolate(
            pictures, (self.side, self.side), mode="bilinear", antialias=True, align_corners=False
        )
        embedded: Tensor = self.network((resized - self.mean) / self.deviation).image_embeds
        return embedded


def read_clip_image_model(folder: Path) -> Any:
    """CLIP's image model with its projection from a folder in transformers' layout, strictly.

    Raises:
        InputError: A file is missing or damaged, or the weights do not fit the configuration.
    """
    from vidrep_pipelines.compat import transformers  # noqa: PLC0415 (takes seconds)

    state = _image_half(read_weights(transformers_weights(folder, "image model", _FOLDER)))
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config = transformers.CLIPVisionConfig.from_dict(_image_config(content))
        with torch.device("meta"):
            outline = transformers.CLIPVisionModelWithProjection(config)
        int(config.image_size)
    except Exception as error:  # a foreign configuration can fail anywhere
        raise InputError(f"{folder / 'config.json'} describes no CLIP image model ({error}).") from error
    check_architecture(state, outline.state_dict(), str(folder))
    model = transformers.CLIPVisionModelWithProjection(config)
    model.load_state_dict(state)
    return model.to(torch.get_default_dtype())


def _image_config(content: dict[str, Any]) -> dict[str, Any]:
    """The image model's part of a configuration: a whole CLIP says the projection's width for both halves."""
    if content.get("vision_config") is None:
        if "text_config" in content or "vocab_size" in content:
            raise ValueError("it is of a text model alone")
        return content
    return {**content["vision_config"], "projection_dim": content["projection_dim"]}


def _image_half(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The image model's own weights."""
    skipped = "vision_model.embeddings.position_ids"  # a counting buffer of former versions
    return {
        name: value
        for name, value in state.items()
        if name.startswith(("vision_model.", "visual_projection.")) and name != skipped
    }
