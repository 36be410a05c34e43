"""The published way of loading frame pairs: decord frame by frame, Pillow, float tensors from the worker.

The torchvision transforms that the original calls are spelled out: torchvision is not on our data path.
"""

import math
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class PublishedPairs(Dataset[tuple[Tensor, Tensor, int]]):
    """One clip per item: opened once, two pairs drawn, every frame fetched and transformed on its own."""

    def __init__(self, paths: Sequence[Path], length: int, pairs: int = 2, max_distance: int = 48) -> None:
        self.paths, self.length, self.pairs, self.max_distance = list(paths), length, pairs, max_distance

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, int]:
        import decord  # noqa: PLC0415

        reader = decord.VideoReader(
            str(self.paths[index % len(self.paths)]), num_threads=1, ctx=decord.cpu(0)
        )
        sources, targets = [], []
        for _ in range(self.pairs):
            first, second = self._pair(len(reader))
            source, target = published_transform(reader[first].asnumpy(), reader[second].asnumpy())
            sources.append(source)
            targets.append(target)
        return torch.stack(sources), torch.stack(targets), 0

    def _pair(self, frames: int) -> tuple[int, int]:
        if frames <= self.max_distance:
            first, second = sorted(random.sample(range(frames), 2))
            return first, second
        first = random.randint(0, frames - self.max_distance - 1)
        return first, first + random.randint(4, self.max_distance)


def published_transform(
    source: NDArray[np.uint8], target: NDArray[np.uint8], size: int = 224
) -> tuple[Tensor, Tensor]:
    """Crops, resizes, flips and normalizes both frames alike, one image at a time."""
    images = [Image.fromarray(frame) for frame in (source, target)]
    box = _random_box(*images[0].size)
    images = [image.crop(box).resize((size, size), Image.Resampling.BICUBIC) for image in images]
    if random.random() < 0.5:
        images = [image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for image in images]
    first, second = (_normalized(_to_tensor(image)) for image in images)
    return first, second


def _random_box(width: int, height: int) -> tuple[int, int, int, int]:
    """Share of the area in [0.5, 1], width over height in [3/4, 4/3]; the whole image if nothing fits."""
    logarithms = torch.log(torch.tensor((3 / 4, 4 / 3)))
    for _ in range(10):
        area = width * height * torch.empty(1).uniform_(0.5, 1.0).item()
        shape = torch.exp(torch.empty(1).uniform_(logarithms[0].item(), logarithms[1].item())).item()
        w, h = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
        if w <= width and h <= height:
            top = int(torch.randint(0, height - h + 1, (1,)))
            left = int(torch.randint(0, width - w + 1, (1,)))
            return left, top, left + w, top + h
    return 0, 0, width, height


def _to_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().to(torch.float32).div(255)


def _normalized(image: Tensor) -> Tensor:
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    return image.clone().sub_(mean[:, None, None]).div_(std[:, None, None])
