"""Vector quantization: every vector is replaced by the nearest entry of a codebook."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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
        chosen = self.lookup(codes).detach()
        return chosen + (prepared - prepared.detach()), codes, prepared


def codebook_loss(
    vectors: Tensor, entries: Tensor, *, commitment_weight: float, codebook_weight: float
) -> Tensor:
    """Pulls vectors (..., D) to their entries (commitment), and entries (..., D) to their vectors."""
    commitment = (entries.detach() - vectors).square().mean()
    codebook = (entries - vectors.detach()).square().mean()
    return commitment_weight * commitment + codebook_weight * codebook


def code_counts(codes: Tensor, size: int) -> Tensor:
    """How often each of ``size`` codes occurs in codes of any shape, (K,) float64."""
    return torch.bincount(codes.flatten(), minlength=size).double()


def perplexity(counts: Tensor) -> Tensor:
    """Exponential of the entropy of the codes' use, from counts (K,): 1 for one code, K for even use."""
    shares = counts / counts.sum()
    return torch.exp(-torch.special.xlogy(shares, shares).sum())


def used_share(counts: Tensor) -> Tensor:
    """Share of the codes that occur, given counts (K,)."""
    return (counts > 0).double().mean()
