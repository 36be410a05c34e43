"""What a policy reads off a video model: features of the future that it is about to predict.

Video Prediction Policy (arXiv 2412.14803), section 3.2: one pass from pure noise, stopped after an up-block.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.models.vpp.video.codec_config import FeaturesConfig
from vidrep_pipelines.models.vpp.video.config import VideoSamplingConfig
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion, time_ids_of
from vidrep_pipelines.models.vpp.video.sampling import GuidedDenoiser, euler_step, noise_levels


class PredictiveFeatures(Protocol):
    """Any video model that a policy can build on."""

    def __call__(self, first: Tensor, text: Tensor, noise: Tensor) -> Tensor:
        """Features of the frames that the model is about to predict.

        Args:
            first: (B, C, h, w) stored latents of the first frames.
            text: (B, L, D), tokens as the model takes them.
            noise: (B, F, C, h, w), standard normal.

        Returns:
            (B, F, C', h', w').
        """


class SvdFeatures:
    """Features of diffusers' UNet: the outputs of its up-blocks, the later ones not computed.

    Frames and sizes are those of the input. Equal to what hooks on a whole pass see.

    Args:
        model: In evaluation mode.
        config: Which blocks, in which step.

    Raises:
        ConfigurationError: The network has no such block, or the schedule no such step.
    """

    def __init__(self, model: VideoDiffusion, config: FeaturesConfig) -> None:
        blocks = len(model.unet.up_blocks)
        if config.block >= blocks:
            raise ConfigurationError(f"features.block is {config.block}, the network has {blocks} up-blocks.")
        if config.step > config.steps:
            raise ConfigurationError(f"features.step is {config.step}, there are {config.steps} steps.")
        self.model, self.config = model, config

    @torch.no_grad()
    def __call__(self, first: Tensor, text: Tensor, noise: Tensor) -> Tensor:
        """See :class:`PredictiveFeatures`."""
        noisy, level = self._before_reading(first, text, noise)
        levels = level.expand(len(noise))
        sample, c_noise = self.model.unet_inputs(noisy, levels, first)
        told = self.config.frames_per_second, self.config.motion_bucket, self.config.noise_augmentation
        time_ids = time_ids_of(len(first), *told, first.device)
        outputs: dict[int, Tensor] = {}
        with _stopped_after(self.model.unet, self.config.block, outputs):
            self.model.velocity(sample, c_noise, text, time_ids)
        features = self._joined(outputs)
        return features.reshape(*noise.shape[:2], *features.shape[1:])

    def _before_reading(self, first: Tensor, text: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The noisy latents at the step in which features are read, and their level."""
        config = self.config
        levels = noise_levels(config.steps, config.sigma_min, config.sigma_max).to(noise.device)
        noisy = noise * (levels[0].square() + 1).sqrt()
        denoiser = GuidedDenoiser(self.model, first, text, _without_guidance(config))
        for level, following in pairwise(levels[: config.step]):
            noisy = euler_step(noisy, denoiser(noisy, level), level, following)
        return noisy, levels[config.step - 1]

    def _joined(self, outputs: dict[int, Tensor]) -> Tensor:
        """(B * F, C', h', w'): the last block, with those before it enlarged and joined in order."""
        last = outputs[self.config.block]
        if not self.config.all_layers:
            return last
        sizes = last.shape[-2:]
        enlarged = [F.interpolate(outputs[number], sizes) for number in range(self.config.block)]
        return torch.cat([*enlarged, last], dim=1)


def _without_guidance(config: FeaturesConfig) -> VideoSamplingConfig:
    return VideoSamplingConfig(
        guidance=1.0,
        frames_per_second=config.frames_per_second,
        motion_bucket=config.motion_bucket,
        noise_augmentation=config.noise_augmentation,
    )


class _Enough(Exception):  # noqa: N818 - no error
    """All that is read is there."""


@contextmanager
def _stopped_after(unet: Any, last: int, outputs: dict[int, Tensor]) -> Iterator[None]:
    """Keeps the outputs of the up-blocks up to one, after which the network goes no further."""

    def keep(number: int, _block: nn.Module, _inputs: Any, output: Tensor) -> None:
        outputs[number] = output
        if number == last:
            raise _Enough

    hooks = [
        block.register_forward_hook(partial(keep, number))
        for number, block in enumerate(unet.up_blocks[: last + 1])
    ]
    try:
        yield
    except _Enough:
        pass
    finally:
        for hook in hooks:
            hook.remove()
