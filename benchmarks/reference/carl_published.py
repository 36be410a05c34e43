"""The published way of loading and augmenting views of long videos.

Every frame of the video is decoded and converted to floats before the wanted ones are taken; colors are
changed frame by frame through Pillow. The functions of torchvision that the original calls are spelled out.
"""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter
from torch import Tensor
from torch.nn import functional

from vidrep_pipelines.models.carl.augmentation import AugmentationDraw, ColorChange

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def published_frames(path: Path, views: Sequence[NDArray[np.int64]]) -> list[Tensor]:
    """(T, 3, H, W) float32 in 0..1 for each view's ranks."""
    with av.open(str(path)) as container:
        decoded = [frame.to_rgb().to_ndarray() for frame in container.decode(video=0)]
    video = torch.as_tensor(np.stack(decoded))
    floats = video.permute(0, 3, 1, 2).float() / 255.0
    return [floats[torch.from_numpy(ranks)] for ranks in views]


def published_augmentation(video: Tensor, draw: AugmentationDraw, size: int) -> Tensor:
    """(T, 3, H, W) in 0..1 to normalized (T, 3, size, size)."""
    crop = draw.crop
    video = video[..., crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    video = functional.interpolate(video, size=(size, size), mode="bilinear", align_corners=False)
    if draw.flip:
        video = video.flip(-1)
    if draw.colors.order:
        video = torch.stack([_to_tensor(_jitter(_to_picture(frame), draw.colors)) for frame in video])
    if draw.colors.gray:
        gray = 0.299 * video[:, 0] + 0.587 * video[:, 1] + 0.114 * video[:, 2]
        video = torch.stack([gray, gray, gray], dim=1)
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    normalized: Tensor = (video - mean) / std
    return normalized


def _to_picture(frame: Tensor) -> Image.Image:
    return Image.fromarray(frame.mul(255).byte().permute(1, 2, 0).numpy())


def _to_tensor(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous().float() / 255


def _jitter(picture: Image.Image, colors: ColorChange) -> Image.Image:
    brightness, contrast, saturation, hue = colors.amounts
    for operation in colors.order:
        if operation == 0:
            picture = ImageEnhance.Brightness(picture).enhance(brightness)
        elif operation == 1:
            picture = ImageEnhance.Contrast(picture).enhance(contrast)
        elif operation == 2:
            picture = ImageEnhance.Color(picture).enhance(saturation)
        else:
            picture = _shifted(picture, hue)
        if colors.blur_radius:
            picture = picture.filter(ImageFilter.GaussianBlur(colors.blur_radius))
    return picture


def _shifted(picture: Image.Image, hue: float) -> Image.Image:
    bands = picture.convert("HSV").split()
    values = np.array(bands[0], dtype=np.uint8) + np.int16(int(hue * 255)).astype(np.uint8)
    return Image.merge("HSV", (Image.fromarray(values), *bands[1:])).convert("RGB")
