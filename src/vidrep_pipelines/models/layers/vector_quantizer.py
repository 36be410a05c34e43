"""Vector quantization: every vector is replaced by the nearest entry of a codebook.

The codebook learns by the gradient or as a moving average of what it replaces, or it is a grid that stays.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidrep_pipelines.models.layers.vqgan_config import CodebookConfig

CodeDistance = Literal["euclidean", "cosine"]

_ROWS_AT_ONCE = 2**15


class VectorQuantizer(nn.Module):
    """A codebook with K entries of D channels (van den Oord et al. 2017, "Neural Discrete Representation").

    Args:
        size: Entries K.
        dimension: Channels D.
        distance: ``euclidean``, or ``cosine``: vectors and entries are divided by their lengths first (Yu et
            al. 2022, "Vector-quantized Image Modeling with Improved VQGAN", section 3.2).
        trainable: Whether the codebook is a parameter; else it is a buffer, for a moving average to set.

    Attributes:
        codebook: (K, D), uniform in -1/K..1/K at first.
    """

    learns: ClassVar[bool] = True
    """Whether the entries move, so that vectors and entries are drawn to one another by a loss."""

    codebook: Tensor

    def __init__(
        self, size: int, dimension: int, distance: CodeDistance = "euclidean", *, trainable: bool = True
    ) -> None:
        super().__init__()
        self.distance = distance
        codebook = torch.empty(size, dimension).uniform_(-1 / size, 1 / size)
        if trainable:
            self.codebook = nn.Parameter(codebook)
        else:
            self.register_buffer("codebook", codebook)

    @property
    def size(self) -> int:
        """Number of entries."""
        return len(self.codebook)

    def prepare(self, vectors: Tensor) -> Tensor:
        """Vectors (..., D) as they are compared with the entries: in float32, of length 1 for ``cosine``."""
        vectors = vectors.float()
        return F.normalize(vectors, dim=-1) if self.distance == "cosine" else vectors

    def entries(self) -> Tensor:
        """The codebook (K, D) as vectors are compared with it."""
        return self.prepare(self.codebook)

    @torch.no_grad()
    def nearest(self, vectors: Tensor) -> Tensor:
        """Codes (...) int64 of prepared vectors (..., D); of equally near entries the first."""
        entries = self.entries()
        # The vector's own length does not change which entry is nearest; leaving it out is also more exact.
        half_lengths = 0.5 * entries.square().sum(dim=1)
        with torch.autocast(vectors.device.type, enabled=False):
            rows = vectors.reshape(-1, vectors.shape[-1]).float()
            parts = torch.split(rows, _ROWS_AT_ONCE)
            codes = [torch.addmm(half_lengths, part, entries.T, alpha=-1).argmin(dim=1) for part in parts]
        return torch.cat(codes).reshape(vectors.shape[:-1])

    def lookup(self, codes: Tensor) -> Tensor:
        """Entries (..., D) of codes (...)."""
        return F.embedding(codes, self.entries())

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantizes.

        Args:
            vectors: (..., D).

        Returns:
            The entries (..., D) exactly as :meth:`lookup` gives them, through which the gradient passes to
            the vectors unchanged; the codes (...); the prepared vectors (..., D), for the codebook's loss.
        """
        prepared = self.prepare(vectors)
        codes = self.nearest(prepared)
        entries = self.lookup(codes).detach()
        return entries + (prepared - prepared.detach()), codes, prepared


class ScalarQuantizer(VectorQuantizer):
    """A grid in place of a learned codebook: each channel is bounded and rounded to one of its levels.

    Finite scalar quantization (Mentzer et al. 2023, "Finite Scalar Quantization: VQ-VAE Made Simple",
    section 3). A channel of L levels becomes ``L / 2 tanh`` of itself, shifted for an even L so that zero is
    a level, and is rounded; the gradient passes through the rounding alone. No entry can be lost, and there
    is nothing to learn but the encoder. A code numbers the levels with the first channel's fastest.

    Args:
        levels: Levels of each channel; their product is K, their number D.

    Attributes:
        codebook: (K, D) all combinations, in -1..1. A buffer, so that checkpoints have a codebook as others.
    """

    learns: ClassVar[bool] = False

    _MARGIN = 1e-3
    """The bound lies so much outside of the outermost levels, which can be reached, then."""

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__(math.prod(levels), len(levels), trainable=False)
        self._half = [count // 2 for count in levels]
        self._steps = [math.prod(levels[:place]) for place in range(len(levels))]
        self._reach = [(count - 1) / 2 * (1 + self._MARGIN) for count in levels]
        self._below = [0.0 if count % 2 else 0.5 for count in levels]
        counts, steps, half = map(torch.tensor, (list(levels), self._steps, self._half))
        self.codebook.copy_((torch.arange(self.size)[:, None] // steps % counts - half) / half)

    def prepare(self, vectors: Tensor) -> Tensor:
        """Vectors (..., D) bounded, in units of the entries; 0 stays 0."""
        vectors = vectors.float()
        reach, below, half = map(vectors.new_tensor, (self._reach, self._below, self._half))
        return (torch.tanh(vectors + torch.atanh(below / reach)) * reach - below) / half

    def entries(self) -> Tensor:
        """The grid (K, D)."""
        return self.codebook

    @torch.no_grad()
    def nearest(self, vectors: Tensor) -> Tensor:
        """Codes (...) int64 of prepared vectors (..., D)."""
        half = vectors.new_tensor(self._half)
        places = (vectors * half).round().long() + half.long()
        return (places * torch.tensor(self._steps, device=vectors.device)).sum(dim=-1)


def build_quantizer(config: CodebookConfig) -> "tuple[VectorQuantizer, CodebookAverage | None]":
    """A codebook, and the averages that move it if it follows any."""
    if config.codes == "fsq":
        return ScalarQuantizer(config.levels), None
    trainable = config.update == "gradient"
    quantizer = VectorQuantizer(config.size, config.dimension, config.codes, trainable=trainable)
    if trainable:
        return quantizer, None
    return quantizer, CodebookAverage(config.size, config.dimension, config.decay, config.restart_below)


@dataclass(frozen=True)
class Quantized:
    """Latents and the entries of the codebook that replace them.

    Attributes:
        entries: (B[, T], D, h, w) entries; the gradient passes to the latents as if nothing had happened.
        codes: (B[, T], h, w) int64.
        latents: (B[, T], h, w, D) what was compared with the codebook (for cosine codes, of length 1).
    """

    entries: Tensor
    codes: Tensor
    latents: Tensor


def codebook_loss(
    vectors: Tensor, entries: Tensor, *, commitment_weight: float, codebook_weight: float
) -> Tensor:
    """Pulls vectors (..., D) to their entries (commitment), and entries (..., D) to their vectors."""
    commitment = (entries.detach() - vectors).square().mean()
    codebook = (entries - vectors.detach()).square().mean()
    return commitment_weight * commitment + codebook_weight * codebook


Exchange = Callable[[Tensor], Tensor]


class CodebookAverage(nn.Module):
    """Moves a quantizer's codebook once per update of the weights (van den Oord et al. 2017, appendix A.1).

    Every forward pass only collects what it saw (:meth:`observe`); :meth:`update` then does one step for all
    of it, so that neither the number of processes nor accumulation changes the result. Shares of the use are
    averaged, not counts: the thresholds do not depend on the batch size.

    An entry whose share falls below ``restart_below / K`` is replaced by a vector of the batch (Dhariwal et
    al. 2020, "Jukebox", section 3.1). As nothing has been used before the first update, that one fills the
    codebook with vectors of the data.

    Args:
        size: Entries K.
        dimension: Channels D.
        decay: Decay of the moving averages, in [0, 1).
        restart_below: Share of an even use under which an entry is replaced. 0: never.

    Attributes:
        shares: (K,) moving average of the share of the vectors that each entry gets.
        sums: (K, D) moving average of the sum of these vectors, divided by the number of all vectors.
    """

    shares: Tensor
    sums: Tensor

    def __init__(self, size: int, dimension: int, decay: float, restart_below: float) -> None:
        super().__init__()
        self._decay, self._restart_below = decay, restart_below
        self.register_buffer("shares", torch.zeros(size))
        self.register_buffer("sums", torch.zeros(size, dimension))
        # Not buffers: DistributedDataParallel would overwrite them by those of the first process.
        self._counted: list[Tensor] = []
        self._candidates: list[Tensor] = []

    @torch.no_grad()
    def start(self, quantizer: VectorQuantizer) -> None:
        """Sets the averages so that the codebook goes on from its entries, each with an even share."""
        self.shares.fill_(1 / quantizer.size)
        self.sums.copy_(quantizer.codebook / quantizer.size)

    @torch.no_grad()
    def observe(self, vectors: Tensor, codes: Tensor, priorities: Tensor) -> None:
        """Collects one forward pass.

        Args:
            vectors: (N, D), prepared.
            codes: (N,) of the vectors.
            priorities: (N,) random in [0, 1); the vectors with the highest ones become new entries.
        """
        size = len(self.shares)
        vectors = vectors.float()
        weights = torch.cat([vectors, torch.ones_like(vectors[:, :1])], dim=1)
        self._counted.append(torch.zeros(size, weights.shape[1]).to(weights).index_add_(0, codes, weights))
        candidates = torch.cat([vectors, priorities.to(vectors)[:, None]], dim=1)
        self._candidates = [_highest(torch.cat([*self._candidates, candidates]), size)]

    @torch.no_grad()
    def update(self, quantizer: VectorQuantizer, mean_across_ranks: Exchange, gather: Exchange) -> int:
        """Moves the codebook by what was observed since the last call. Every process must call this.

        Args:
            quantizer: Its codebook is set.
            mean_across_ranks: Mean of a tensor over the processes.
            gather: Concatenates the tensors of all processes along the first dimension.

        Returns:
            How many entries were replaced.
        """
        counted = mean_across_ranks(torch.stack(self._counted).sum(dim=0))
        counted = counted / counted[:, -1].sum()
        candidates = _highest(gather(self._padded_candidates()), len(self.shares))
        self.forget()
        self.shares.lerp_(counted[:, -1], 1 - self._decay)
        self.sums.lerp_(counted[:, :-1], 1 - self._decay)
        restarted = self._restart(candidates)
        known = self.shares > 0
        quantizer.codebook[known] = quantizer.prepare(self.sums[known] / self.shares[known, None])
        return restarted

    def forget(self) -> None:
        """Drops what was observed since the last update."""
        self._counted, self._candidates = [], []

    def _padded_candidates(self) -> Tensor:
        """(K, D + 1): as many on every process; those that fill up have a negative priority."""
        candidates = self._candidates[0]
        return F.pad(candidates, (0, 0, 0, len(self.shares) - len(candidates)), value=-1.0)

    def _restart(self, candidates: Tensor) -> int:
        dead = (self.shares < self._restart_below / len(self.shares)).nonzero().flatten()
        vectors = candidates[candidates[:, -1] >= 0, :-1]
        dead = dead[: len(vectors)]
        # As if they had just had an even share, so that there is time to find out whether they are of use.
        self.shares[dead] = 1 / len(self.shares)
        self.sums[dead] = vectors[: len(dead)] / len(self.shares)
        return len(dead)


def _highest(candidates: Tensor, count: int) -> Tensor:
    """The rows with the highest priorities (their last column), highest first."""
    order = candidates[:, -1].argsort(descending=True, stable=True)
    return candidates[order[:count]]
