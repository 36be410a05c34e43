"""A trained video model at use: what happens after a frame if the robot is told something."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import ValidationError
from torch import Tensor

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.progress import Progress
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.shared.trained import trained_model
from vidrep_pipelines.models.vpp.video.adaptation import is_base, merged_weights
from vidrep_pipelines.models.vpp.video.checkpoint_io import UNET, diffusers_part
from vidrep_pipelines.models.vpp.video.codec import Codec, load_codec
from vidrep_pipelines.models.vpp.video.config import (
    AdaptationConfig,
    ClipConfig,
    VideoModelConfig,
    VideoSamplingConfig,
)
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion, require_other_camera
from vidrep_pipelines.models.vpp.video.sampling import draw_video_noise, sample_video
from vidrep_pipelines.models.vpp.video.text import TextTokenizer, text_tokenizer

_VIDEOS_AT_ONCE = 16
_LONG = 64
"""Videos from which on progress is shown."""


def load_video_model(checkpoint: Checkpoint) -> tuple[VideoDiffusion, int]:
    """The model of a checkpoint of the catalog in evaluation mode, and the frames F of its clips.

    The configuration has the parts ``model`` and ``clips``. Adapters become part of the weights that they
    were trained on, which are read from where training started.

    Raises:
        InputError: It is no checkpoint of a video model, or the weights that its adapters are for are gone or
            changed.
    """
    try:
        config = VideoModelConfig.model_validate(checkpoint.config["model"])
        frames = ClipConfig.model_validate(checkpoint.config["clips"]).frames
        lora = AdaptationConfig.model_validate(checkpoint.config.get("adaptation", {})).lora
    except (KeyError, TypeError, ValidationError) as error:
        raise InputError(
            f"{checkpoint.directory} holds no checkpoint of a video model ({error}). Remedy: run "
            "pretrain_vpp_video."
        ) from error
    state = checkpoint.state_dict()
    if lora is not None:
        if not any(is_base(name) for name in state):
            state = {**_weights_adapted(checkpoint), **state}
        state = merged_weights(state, lora)
    return trained_model(VideoDiffusion(config), state), frames


def _weights_adapted(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The UNet that a checkpoint's adapters are for, which it does not hold."""
    digest = (checkpoint.config.get("digests_of_files") or {}).get("initialize_from")
    try:
        part = diffusers_part(Path(checkpoint.config["initialize_from"]), UNET)
    except (InputError, TypeError, KeyError) as error:
        raise InputError(
            f"{checkpoint.directory} holds adapters only, and the UNet that they are for is missing: {error} "
            "Remedy: put the folder back, or a link to where it is now."
        ) from error
    if part.digest != digest:
        raise InputError(
            f"{part.folder} is not the UNet that the adapters in {checkpoint.directory} were trained on. "
            "Remedy: put that one back, or train again."
        )
    return {f"unet.{name}": value for name, value in part.state_dict().items()}


@dataclass(frozen=True)
class VideoPredictor:
    """A trained video model with its codec and tokenizer.

    Attributes:
        model: In evaluation mode.
        codec: What makes latents of frames and frames of latents, on the same device.
        tokenizer: Instructions to numbers.
        frames: F, frames of a predicted video, the first one included.
        videos_at_once: Videos that are sampled together; no result depends on it.
    """

    model: VideoDiffusion
    codec: Codec
    tokenizer: TextTokenizer
    frames: int
    videos_at_once: int = _VIDEOS_AT_ONCE

    def __post_init__(self) -> None:
        config = self.model.config
        if config.unet.latent_channels != self.codec.channels:
            raise InputError(
                f"The video model takes latents of {config.unet.latent_channels} channels, the codec makes "
                f"{self.codec.channels}. Remedy: name the codec that it was trained with."
            )
        if config.condition_scale != self.codec.condition_scale:
            raise InputError(
                f"The video model's condition_scale is {config.condition_scale}, the codec's latents have "
                f"{self.codec.condition_scale}. Remedy: name the codec that it was trained with."
            )

    @classmethod
    def load(cls, checkpoint: Path, codec: Path, device: torch.device | str = "cpu") -> Self:
        """Loads both from their folders in the catalog.

        Args:
            checkpoint: ``config.json``, ``model.safetensors`` and ``meta.json`` of the video model.
            codec: The same of the codec.
            device: Where to compute.

        Raises:
            InputError: A folder holds something else, or the two do not belong together.
        """
        published = Checkpoint.of(checkpoint)
        model, frames = load_video_model(published)
        loaded = load_codec(codec, device)
        trained_with: Any = published.config.get("codec")
        if trained_with is not None and trained_with != loaded.digest:
            raise InputError(
                f"The video model in {checkpoint} was trained with another codec than that in {codec}. "
                "Remedy: run pretrain_vpp_video again, or name the codec that it was trained with."
            )
        return cls(model.to(device), loaded, text_tokenizer(model.config.text), frames)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = next(self.model.unet.parameters()).device
        return device

    @property
    def sees_other_camera(self) -> bool:
        """Whether the model needs what another camera saw at first."""
        return self.model.config.text.image is not None

    def predict(
        self,
        first: Tensor,
        texts: Sequence[str],
        seeds: Sequence[int],
        config: VideoSamplingConfig,
        other_camera: Tensor | None = None,
    ) -> Tensor:
        """Videos that begin with given frames.

        Args:
            first: (N, 3, H, W) in 0..1.
            texts: What the robot is told, one for each.
            seeds: One for each; a video depends on nothing but its frame, text and seed.
            config: Steps and guidance.
            other_camera: (N, 3, H, W) in 0..1, what another camera saw at first; needed by models that were
                trained with it (``sees_other_camera``), and only by them. H and W may differ from ``first``.

        Returns:
            (N, F, 3, H, W) in 0..1 on the CPU. The first frame is the predicted one too.

        Raises:
            InputError: A text cannot be told to the model, a picture is missing, or a prediction is not
                finite.
        """
        latents = self.predict_latents(self.encode(first), texts, seeds, config, other_camera)
        return self.decode(latents)

    @torch.inference_mode()
    def encode(self, pictures: Tensor) -> Tensor:
        """Pictures (N, 3, H, W) in 0..1 to stored latents (N, C, h, w) on the model's device."""
        parts = [self.codec.encode(part.to(self.device) * 2 - 1) for part in self._split(pictures)]
        return torch.cat(parts)

    @torch.inference_mode()
    def predict_latents(
        self,
        first: Tensor,
        texts: Sequence[str],
        seeds: Sequence[int],
        config: VideoSamplingConfig,
        other_camera: Tensor | None = None,
    ) -> Tensor:
        """Like :meth:`predict`, from stored latents (N, C, h, w) to latents (N, F, C, h, w)."""
        require_other_camera(self.sees_other_camera, other_camera)
        if not len(first) == len(texts) == len(seeds):
            raise InputError(
                f"There are {len(first)} first frames, {len(texts)} texts and {len(seeds)} seeds; every "
                "video needs one of each."
            )
        if other_camera is not None and len(other_camera) != len(first):
            raise InputError(
                f"There are {len(first)} first frames and {len(other_camera)} pictures of another camera; "
                "every video needs one of each."
            )
        ids, mask = self.tokenizer(texts)
        shape = (self.frames, *first.shape[1:])
        videos = []
        for rows in self._rows(len(first)):
            seen = None if other_camera is None else other_camera[rows].to(self.device)
            text = self.model.encode_text(ids[rows].to(self.device), mask[rows].to(self.device), seen)
            noise = draw_video_noise(seeds[rows], shape, self.device)
            videos.append(sample_video(self.model, first[rows].to(self.device), text, noise, config))
        return torch.cat(videos) if videos else first.new_zeros(0, *shape)

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Tensor:
        """Latents (N, F, C, h, w) to videos (N, F, 3, H, W) in 0..1 on the CPU.

        Raises:
            InputError: They are not finite.
        """
        videos = []
        for part in self._split(latents):
            pictures = self.codec.decode(part.flatten(0, 1).to(self.device), latents.shape[1])
            videos.append(
                (pictures / 2 + 0.5).clamp(0, 1).cpu().reshape(*part.shape[:2], *pictures.shape[1:])
            )
        height, width = (side * self.codec.factor for side in latents.shape[-2:])
        return torch.cat(videos) if videos else torch.zeros(0, latents.shape[1], 3, height, width)

    def _split(self, values: Tensor) -> Sequence[Tensor]:
        return torch.split(values, self.videos_at_once) if len(values) else (values,)

    def _rows(self, total: int) -> Iterator[slice]:
        """Which videos are sampled together; of many, progress is shown."""
        starts = range(0, total, self.videos_at_once)
        if total < _LONG:
            yield from (slice(start, start + self.videos_at_once) for start in starts)
            return
        with Progress(total, "predict", "video") as progress:
            for start in starts:
                yield slice(start, min(start + self.videos_at_once, total))
                progress.advance(min(self.videos_at_once, total - start))
