"""VQ-KD's quantizer: unit vectors, and codes that follow the directions assigned to them.

Source: Peng et al. 2022, "BEiT v2", arXiv 2208.06366, section 2.1.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.models.layers.vector_quantizer import VectorQuantizer
from vidrep_pipelines.models.voc.tokenizers.dino.spherical_kmeans import spherical_kmeans

Exchange = Callable[[Tensor], Tensor]


class DirectionQuantizer(nn.Module):
    """Replaces the direction of a vector by the nearest code.

    Every forward pass of a training only collects what it saw (:meth:`observe`); :meth:`update` then moves
    the codes once for all of it, so that neither the number of processes nor accumulation changes the result.

    Args:
        size: Codes K.
        dimension: Channels D.

    Attributes:
        codes: Holds the vectors (K, D) of the codes, of length 1, in its ``codebook``.
        counts: (K,) moving average of the uses of each code per update.
        initialized: (1,) 1 once the codes come from data, else 0.
        spare_counts: (K,) kept for the published layout, which has it; nothing reads it.
        spare_sums: (K, D) likewise.
    """

    counts: Tensor
    initialized: Tensor
    spare_counts: Tensor
    spare_sums: Tensor

    def __init__(self, size: int, dimension: int) -> None:
        super().__init__()
        self.codes = VectorQuantizer(size, dimension, trainable=False)
        self.codes.codebook.copy_(F.normalize(torch.randn(size, dimension), dim=-1))
        self.register_buffer("counts", torch.zeros(size))
        self.register_buffer("initialized", torch.zeros(1))
        self.register_buffer("spare_counts", torch.zeros(size))
        self.register_buffer("spare_sums", torch.zeros(size, dimension))
        # Not a buffer: DistributedDataParallel would overwrite it by that of the first process.
        self._observed: list[Tensor] = []

    def directions(self, vectors: Tensor) -> Tensor:
        """Vectors (..., D) at length 1, in float32."""
        return F.normalize(vectors.float(), dim=-1)

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantizes.

        Args:
            vectors: (..., D).

        Returns:
            The codes' vectors (..., D), through which the gradient passes to the directions; the codes (...);
            the directions (..., D).
        """
        chosen, codes, directions = self.codes(self.directions(vectors))
        return chosen, codes, directions

    @torch.no_grad()
    def initialize(self, directions: Tensor, generator: torch.Generator, iterations: int) -> None:
        """Sets the codes to clusters of directions (N, D), from samples drawn as first means."""
        size, samples = self.codes.size, directions.float()
        if len(samples) >= size:
            first = torch.randperm(len(samples), generator=generator)[:size]
        else:
            first = torch.randint(len(samples), (size,), generator=generator)
        means, counts = spherical_kmeans(samples, samples[first.to(samples.device)], iterations)
        self.codes.codebook.copy_(means)
        self.counts.copy_(counts)
        self.initialized.fill_(1.0)

    @torch.no_grad()
    def observe(self, directions: Tensor, codes: Tensor) -> None:
        """Collects the sum of the directions (N, D) of each code (N,), and how many there are."""
        weights = F.pad(directions.float(), (0, 1), value=1.0)
        empty = weights.new_zeros(self.codes.size, weights.shape[1])
        self._observed.append(empty.index_add_(0, codes, weights))

    @torch.no_grad()
    def update(self, decay: float, gather: Exchange) -> None:
        """Moves codes and counts by what was observed since the last call. Every process must call this.

        Args:
            decay: Of the moving averages.
            gather: Concatenates the tensors of all processes along the first dimension.
        """
        seen = gather(torch.stack(self._observed).sum(dim=0)[None]).sum(dim=0)
        self._observed = []
        sums, counts = seen[:, :-1], seen[:, -1]
        used = counts[:, None] > 0
        moved = decay * self.codes.codebook + (1 - decay) * F.normalize(sums, dim=-1)
        stayed = F.normalize(self.codes.codebook, dim=-1)
        self.codes.codebook.copy_(torch.where(used, F.normalize(moved, dim=-1), stayed))
        self.count(counts, decay)

    @torch.no_grad()
    def count(self, counts: Tensor, decay: float) -> None:
        """Moves the average uses of the codes towards counts (K,)."""
        self.counts.lerp_(counts.to(self.counts), 1 - decay)
