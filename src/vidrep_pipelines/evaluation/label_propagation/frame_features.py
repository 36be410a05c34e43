"""Features of the frames of a video, one after the other, computed in batches."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.evaluation.encoders.protocol import Encoder, VideoEncoder, as_video_encoder
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


def normalization_of(encoder: Encoder, settings: RunSettings) -> FrameNormalization:
    """Mean and standard deviation that frames get."""
    if settings.normalization == "encoder":
        return FrameNormalization(mean=encoder.mean, std=encoder.std)
    return FrameNormalization(std=PUBLISHED_STD if settings.propagation.variant == "dino" else IMAGENET_STD)


def frame_features(
    frames: Iterable[Pixels],
    encoder: Encoder,
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
        frames_per_batch: Frames that the encoder sees at once; one that sees clips gets whole windows, and at
            the end of the video the last window that fits, of which only the new frames count.

    Raises:
        InputError: The video is shorter than the encoder's window.
    """
    video = as_video_encoder(encoder)
    normalization = normalization_of(encoder, settings)
    rounded, resize = settings.propagation.variant == "dino", settings.frame_resize
    source, count = iter(frames), max(frames_per_batch // video.window, 1) * video.window
    before, state = torch.empty(0, 3, *size, device=device), None
    while batch := list(islice(source, count)):
        prepared = [
            prepare_frame(pixels, size, normalization, rounded=rounded, resize=resize) for pixels in batch
        ]
        images = torch.from_numpy(np.stack(prepared)).to(device)
        lacking = max(video.window - len(images), 0)
        seen = torch.cat([before[-lacking:], images]) if lacking else images
        features, state = _encoded(video, seen, state, settings.propagation.precision)
        yield from features[-len(images) :]
        before = images[-(video.window - 1) :] if video.window > 1 else before


def _encoded(
    encoder: VideoEncoder, images: Tensor, state: Tensor | None, precision: PropagationPrecision
) -> tuple[Tensor, Tensor | None]:
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
        features, state = encoder.features(images[None], state)
    return features[0].float(), state
