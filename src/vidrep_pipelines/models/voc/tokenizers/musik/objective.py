"""The loss of the tokenizer ``musik``."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vidrep_pipelines.models.layers.vector_quantizer import Quantized
from vidrep_pipelines.models.shared.code_counts import code_counts, perplexity, used_share
from vidrep_pipelines.models.voc.tokenizers.config import QuantizationConfig
from vidrep_pipelines.models.voc.tokenizers.musik.model import MusikTokenizer


@dataclass(frozen=True)
class MusikLosses:
    """Scalars ``loss`` = ``contrastive`` + ``codebook`` + ``codebook_later``, and what they come from.

    Attributes:
        accuracy: Share of samples in which the taken action has the lowest energy.
        counts: (K,) uses of the codes.
        embeddings: (B, E) of the states, and of the later ones.
        quantized: The same two.
    """

    loss: Tensor
    contrastive: Tensor
    codebook: Tensor
    codebook_later: Tensor
    accuracy: Tensor
    counts: Tensor
    embeddings: tuple[Tensor, Tensor]
    quantized: tuple[Quantized, Quantized]

    def metrics(self) -> dict[str, Tensor]:
        """Detached scalars for the log."""
        values = {
            "loss_contrastive": self.contrastive,
            "loss_codebook": (self.codebook + self.codebook_later) / 2,
            "accuracy": self.accuracy,
            "perplexity": perplexity(self.counts),
            "codebook_use": used_share(self.counts),
        }
        return {name: value.detach().float() for name, value in values.items()}


def musik_objective(
    model: MusikTokenizer,
    states: Tensor,
    later: Tensor,
    actions: Tensor,
    negatives: Tensor,
    config: QuantizationConfig,
) -> MusikLosses:
    """Multi-step inverse kinematics (arXiv 2211.00164), with InfoNCE over actions.

    Args:
        model: The tokenizer, in training mode: its normalization runs over all candidates of the batch.
        states: (B, frame_stack, 3, S, S) normalized.
        later: The states some steps later, which the loss is not told.
        actions: (B, A) taken in ``states``.
        negatives: (B, N, A) other actions. Their order, which the original shuffles, has no effect.
        config: The codebook's loss.
    """
    (now, quantized), (then, quantized_later) = model(states), model(later)
    candidates = torch.cat([actions[:, None], negatives], dim=1)
    scores = -model.action_energy(now, then, candidates).float()
    taken = scores.new_zeros(len(scores), dtype=torch.long)
    contrastive = F.cross_entropy(scores, taken)
    codebook, codebook_later = (
        model.quantization_loss(part, config) for part in (quantized, quantized_later)
    )
    codes = torch.cat([quantized.codes, quantized_later.codes])
    return MusikLosses(
        loss=contrastive + codebook + codebook_later,
        contrastive=contrastive,
        codebook=codebook,
        codebook_later=codebook_later,
        accuracy=(scores.argmax(dim=1) == taken).float().mean(),
        counts=code_counts(codes, model.vocabulary),
        embeddings=(now, then),
        quantized=(quantized, quantized_later),
    )


def draw_negatives(count: int, dimension: int, seeds: Tensor) -> Tensor:
    """Actions (B, count, dimension) uniform in -1..1, each sample's from its own seed (B,)."""
    generator = torch.Generator()
    drawn = [torch.rand(count, dimension, generator=generator.manual_seed(seed)) for seed in seeds.tolist()]
    return 2 * torch.stack(drawn) - 1
