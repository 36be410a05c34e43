"""Features of the frames of a video, one after the other, computed in batches."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.encoders.protocol import ImageEncoder
from vidrep_pipelines.evaluation.label_propagation.config import PropagationPrecision
from vidrep_pipelines.evaluation.label_propagation.preprocessing import (
    IMAGENET_STD,
    PUBLISHED_STD,
    FrameNormalization,
    prepare_frame,
)
from vidrep_pipelines.evaluation.label_propagation.settings import DeviceName, RunSettings


def device_of_sequence(wanted: DeviceName, number: int = 0) -> torch.device:
    """The device; of several GPUs the one with this number, counted on from the first where there are fewer.

    Raises:
        ConfigurationError: CUDA is asked for and there is none.
    """
    count = torch.cuda.device_count()
    if wanted == "cuda" and count == 0:
        raise ConfigurationError("device is cuda, but torch sees no GPU. Remedy: set it to auto or cpu.")
    if wanted == "cpu" or count == 0:
        return torch.device("cpu")
    return torch.device("cuda", number % count)


def normalization_of(encoder: ImageEncoder, settings: RunSettings) -> FrameNormalization:
    """Mean and standard deviation that frames get."""
    if settings.normalization == "encoder":
        return FrameNormalization(mean=encoder.mean, std=encoder.std)
    return FrameNormalization(std=PUBLISHED_STD if settings.propagation.variant == "dino" else IMAGENET_STD)


def frame_features(
    frames: Iterable[Pixels],
    encoder: ImageEncoder,
    size: tuple[int, int],
    settings: RunSettings,
    device: torch.device,
    frames_per_batch: int,
) -> Iterator[Tensor]:
    """Yields (D, h, w) float32 on the device for each frame; only one batch is in memory.

    Args:
        frames: (H, W, 3) each, RGB.
        encoder: The encoder, on the device.
        size: Height and width of the network's input.
        settings: Variant (how frames are resized), normalization, precision.
        device: The device that the encoder is on.
        frames_per_batch: Frames that the encoder sees at once.
    """
    normalization = normalization_of(encoder, settings)
    rounded = settings.propagation.variant == "dino"
    source = iter(frames)
    while batch := list(islice(source, frames_per_batch)):
        prepared = [prepare_frame(pixels, size, normalization, rounded=rounded) for pixels in batch]
        yield from _encoded(encoder, np.stack(prepared), device, settings.propagation.precision)


def _encoded(
    encoder: ImageEncoder, images: NDArray[np.float32], device: torch.device, precision: PropagationPrecision
) -> Tensor:
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
        return encoder.patch_features(torch.from_numpy(images).to(device)).float()
