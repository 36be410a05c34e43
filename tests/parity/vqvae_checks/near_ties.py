"""Codes between which rounding decides."""

import torch
from torch import Tensor

from vidrep_pipelines.models.vqvae.model import VqvaeModel

# Relative. Between a replay in single and one in double precision, distances to codewords differed by 1.2e-5
# at most before the first update; after one, two, three updates at a rate of 5e-4 by 3.6e-5, 5.5e-4, 7.7e-4.
_ROUNDING = 2e-5


@torch.no_grad()
def undecided(model: VqvaeModel, images: Tensor, moved: float) -> int:
    """How many vectors have a second codeword so near to the best that rounding may choose either.

    Args:
        model: A model, perhaps after some updates.
        images: Its input.
        moved: How far an entry of a weight can have moved, which is the learning rate times the updates. Adam
            divides a gradient by its own size, so that an entry whose gradient is nothing but rounding moves
            as far as any other, in a direction that rounding chooses: two trajectories differ by so much.
    """
    vectors = model.latents(images).movedim(-3, -1).flatten(0, -2)
    distances = torch.cdist(vectors.double(), model.quantizer.codebook.double())
    best = distances.topk(2, largest=False).values
    margin = (best[:, 1] - best[:, 0]) / best[:, 1]
    return int((margin < _ROUNDING + moved).sum())
