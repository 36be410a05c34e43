"""Codes of frames as the published scripts save them: one random shift per frame, autograd left on."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PAD = 4


def published_codes(encode: nn.Module, codebook: Tensor, frames: Tensor, shifts: Tensor, size: int) -> Tensor:
    """Codes (N, h * h) of frames (N, 3, H, H) uint8.

    Args:
        encode: Prepared pictures to latents (N, D, h, h).
        codebook: (K, D).
        frames: The stored frames.
        shifts: (N, 2) offsets (x, y) in 0..8 of the crop out of the padded frame.
        size: Side of the prepared pictures.
    """
    latents = encode(published_pictures(frames, shifts, size))
    rows = latents.permute(0, 2, 3, 1).reshape(-1, codebook.shape[1])
    distances = rows.square().sum(1, keepdim=True) + codebook.square().sum(1) - 2 * rows @ codebook.T
    codes: Tensor = distances.argmin(dim=1).reshape(len(frames), -1)
    return codes


def published_pictures(frames: Tensor, shifts: Tensor, size: int) -> Tensor:
    """Padded, cropped, resized and divided by ``255``, then the ratio of mean and deviation subtracted."""
    height = frames.shape[-1]
    padded = F.pad(frames.float(), (PAD,) * 4, mode="replicate")
    crops = [
        picture[:, y : y + height, x : x + height]
        for picture, (x, y) in zip(padded, shifts.tolist(), strict=True)
    ]
    resized = F.interpolate(torch.stack(crops), (size, size), mode="nearest")
    ratio = torch.tensor(MEAN) / torch.tensor(STD)
    return resized / 255 - ratio.view(3, 1, 1)
