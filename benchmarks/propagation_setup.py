"""What the benchmarks of label propagation have in common: DAVIS with ViT-S/16 and 30 context frames."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from vidrep_pipelines.evaluation.label_propagation.config import PropagationConfig

HEIGHT, WIDTH, DIMENSION, CHANNELS = 30, 52, 384, 4
CONFIG = PropagationConfig()


def frames(count: int) -> Iterator[Tensor]:
    """Features (D, h, w) of frames that are like one another, made one by one."""
    generator = torch.Generator().manual_seed(0)
    scene = torch.randn(DIMENSION, HEIGHT, WIDTH, generator=generator)
    for _ in range(count):
        yield scene + 0.5 * torch.randn(DIMENSION, HEIGHT, WIDTH, generator=generator)


def first_labels() -> Tensor:
    """One-hot (C, h, w)."""
    labels = torch.randint(CHANNELS, (HEIGHT, WIDTH), generator=torch.Generator().manual_seed(1))
    return F.one_hot(labels, CHANNELS).permute(2, 0, 1).float()
