"""A frozen video model as a policy looks through it: what is seen and what is asked for become features.

Video Prediction Policy (arXiv 2412.14803), section 3.2: one pass from pure noise. Features are (N, F, C, h,
w), of which a reduction keeps a part.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.policy.features_config import (
    FeatureNoiseConfig,
    PolicyFeaturesConfig,
    ReductionConfig,
)
from vidrep_pipelines.models.vpp.video.features import PredictiveFeatures, SvdFeatures
from vidrep_pipelines.models.vpp.video.inference import load_video_model
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion
from vidrep_pipelines.models.vpp.video.sampling import draw_video_noise
from vidrep_pipelines.models.vpp.video.text import TextTokenizer, text_tokenizer


class FeatureReader:
    """A trained video model with its tokenizer, and what is read off it.

    Args:
        model: In evaluation mode. It is cast to ``config.weights``.
        tokenizer: Instructions to numbers.
        frames: F, frames of a predicted video.
        config: What is read and kept.

    Raises:
        ConfigurationError: The network has no such block or step, or it looks at another camera.
    """

    def __init__(
        self, model: VideoDiffusion, tokenizer: TextTokenizer, frames: int, config: PolicyFeaturesConfig
    ) -> None:
        if model.config.text.image is not None:
            raise ConfigurationError(
                "The video model looks at the first frame of another camera as well (text.image), and a "
                "policy reads models that are told in words alone. Remedy: train one of those."
            )
        if config.weights != "float32":  # diffusers warns of every cast, of one that changes nothing too
            model.unet.to(getattr(torch, config.weights))
        self.model, self.tokenizer, self.frames, self.config = model, tokenizer, frames, config
        self._read: PredictiveFeatures = SvdFeatures(model, config.read)

    @classmethod
    def load(cls, checkpoint: Path, config: PolicyFeaturesConfig, device: str = "cpu") -> "FeatureReader":
        """Loads a video model of the catalog.

        Raises:
            InputError: The folder holds no video model.
            ConfigurationError: As for the class.
        """
        model, frames = load_video_model(Checkpoint.of(checkpoint))
        return cls(model.to(device), text_tokenizer(model.config.text), frames, config)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = next(self.model.unet.parameters()).device
        return device

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Instructions as the network takes them, (N, L, D).

        Raises:
            InputError: One cannot be told to it.
        """
        ids, mask = self.tokenizer(texts)
        return self.model.encode_text(ids.to(self.device), mask.to(self.device))

    @torch.no_grad()
    def __call__(self, first: Tensor, text: Tensor, noise: Tensor) -> Tensor:
        """What is kept of the features of pictures.

        Args:
            first: (N, C, h, w) stored latents of what is seen.
            text: (N, L, D) from :meth:`encode_texts`.
            noise: (N, F, C, h, w), standard normal, see :func:`feature_noise`.

        Returns:
            (N, F', C', h', w') float32.
        """
        return reduced_features(self._read(first, text, noise).float(), self.config.reduction)

    def observe(self, first: Tensor, texts: Sequence[str], seeds: Sequence[int]) -> Tensor:
        """Features of what V cameras see at B moments, each behind noise of its own.

        Args:
            first: (B, V, C, h, w) stored latents.
            texts: B instructions.
            seeds: B seeds; without effect where the noise is fixed.

        Returns:
            (B, V, F', C', h', w') float32.
        """
        return self.observe_told(first, self.encode_texts(texts), seeds)

    @torch.no_grad()
    def observe_told(self, first: Tensor, text: Tensor, seeds: Sequence[int]) -> Tensor:
        """The same for instructions (B, L, D) that are encoded already."""
        batch, views = first.shape[:2]
        own = [seed_for(seed, "view", view) for seed in seeds for view in range(views)]
        noise = feature_noise(self.config.noise, own, (self.frames, *first.shape[2:]), self.device)
        told = text.repeat_interleave(views, dim=0)
        found = self(first.flatten(0, 1).to(self.device), told, noise)
        return found.reshape(batch, views, *found.shape[1:])


def reduced_features(features: Tensor, config: ReductionConfig) -> Tensor:
    """What is kept of features (N, F, C, h, w): (N, F', C, h', w')."""
    if config.frames:
        features = features[:, list(config.frames)]
    if config.kind != "pooled":
        return features
    pooled = F.adaptive_avg_pool2d(features.flatten(0, 1), config.grid)
    return pooled.reshape(*features.shape[:2], *pooled.shape[1:])


def feature_noise(
    config: FeatureNoiseConfig, seeds: Sequence[int], shape: Sequence[int], device: torch.device | str
) -> Tensor:
    """Standard normal noise (N, F, C, h, w): the same for all if it is fixed, else each from its own seed.

    Args:
        config: Which.
        seeds: N of them.
        shape: (F, C, h, w).
        device: Where it is needed; the numbers are the same on all.
    """
    if config.kind == "fixed":
        one = draw_video_noise([seed_for(config.seed, "fixed noise")], shape, device)
        return one.expand(len(seeds), *shape)
    return draw_video_noise(seeds, shape, device)


def require_finite_features(features: Tensor, where: str) -> None:
    """Checks features before they are stored.

    Raises:
        InputError: They are not finite.
    """
    if not bool(torch.isfinite(features).all()):
        raise InputError(
            f"{where}: features are not finite. Remedy: set vpp_features.weights and vpp_features.dtype to "
            "float32, and look for latents or weights that are not finite."
        )
