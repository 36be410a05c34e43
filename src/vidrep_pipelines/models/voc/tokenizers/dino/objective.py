"""The loss of VQ-KD."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from vidrep_pipelines.models.layers.vector_quantizer import code_counts, perplexity, used_share
from vidrep_pipelines.models.voc.tokenizers.dino.model import VqkdOutputs, VqkdTokenizer
from vidrep_pipelines.models.voc.tokenizers.dino.teacher import Teacher
from vidrep_pipelines.models.voc.tokenizers.pixels import to_unit_range


@dataclass(frozen=True)
class VqkdLosses:
    """Scalars ``loss`` = ``features`` + ``commitment``, uses (K,) of the codes, the outputs, the target."""

    loss: Tensor
    features: Tensor
    commitment: Tensor
    counts: Tensor
    outputs: VqkdOutputs
    target: Tensor

    def metrics(self) -> dict[str, Tensor]:
        """Detached scalars for the log."""
        values = {
            "loss_features": self.features,
            "loss_commitment": self.commitment,
            "perplexity": perplexity(self.counts),
            "codebook_use": used_share(self.counts),
        }
        return {name: value.detach().float() for name, value in values.items()}


def vqkd_objective(model: VqkdTokenizer, teacher: Teacher, images: Tensor, beta: float) -> VqkdLosses:
    """Computes the loss of normalized pictures.

    Args:
        model: The tokenizer.
        teacher: Whose features are predicted.
        images: (N, 3, S, S) in the tokenizer's units.
        beta: Weight of the commitment.
    """
    outputs: VqkdOutputs = model(images)
    target: Tensor = teacher(to_unit_range(images, model.pixels))
    features = (1 - F.cosine_similarity(outputs.features.float(), target.float(), dim=-1)).mean()
    entries = model.quantizer.codes.lookup(outputs.codes)
    commitment = beta * (entries - outputs.directions).square().mean()
    counts = code_counts(outputs.codes, model.vocabulary)
    return VqkdLosses(features + commitment, features, commitment, counts, outputs, target)
