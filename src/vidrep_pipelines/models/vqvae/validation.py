"""How good a VQ-VAE is on held-out frames while it is trained: loss, PSNR, use of the codes."""

from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.utils.data import default_collate

from vidrep_pipelines.models.shared.code_counts import perplexity, used_share
from vidrep_pipelines.models.shared.effective_rank import rank_of_outputs
from vidrep_pipelines.models.vqvae.config import VqvaeValidationConfig
from vidrep_pipelines.models.vqvae.model import VqvaeModel
from vidrep_pipelines.models.vqvae.task import VqvaeTask


class VqvaeValidation(VqvaeValidationConfig):
    """The measurements of a task; a :class:`~vidrep_pipelines.training.probe.Probe`.

    The samples are always the same, and nothing is drawn: two measurements differ by the model alone.
    """

    of_whole_model: ClassVar[bool] = True

    task: VqvaeTask
    """Loss and samples; its split is the held-out one."""

    @torch.no_grad()
    def measure(self, encoder: VqvaeModel) -> dict[str, float]:
        """Means over all samples of a split.

        Args:
            encoder: The model in evaluation mode.

        Returns:
            ``loss``, without an adversarial one; ``psnr`` in decibels, of pixels clamped to 0..1;
            ``perplexity`` of the codes over the whole split, and the ``codebook_use``, a share; ``rankme``,
            how many directions the latents use before they are quantized, from 1 to their width.
        """
        device = next(encoder.parameters()).device
        sums, samples = torch.zeros(2, dtype=torch.float64), 0
        counts = torch.zeros(encoder.quantizer.size, dtype=torch.float64)
        with rank_of_outputs(encoder.to_latents, lambda _, latents: latents.movedim(-3, -1)) as rank:
            for frames in self._batches():
                losses = self.task.losses(encoder, frames.to(device))
                sums += len(frames) * torch.stack([losses.loss, losses.psnr]).double().cpu()
                counts += losses.counts.cpu()
                samples += len(frames)
        loss, psnr = (sums / samples).tolist()
        codes = {"perplexity": float(perplexity(counts)), "codebook_use": float(used_share(counts))}
        return {"loss": loss, "psnr": psnr, **codes, "rankme": rank.value()}

    def _batches(self) -> Iterator[Tensor]:
        """Frames (B, T, 3, S, S) uint8, in batches of about equal sizes: clip statistics need several."""
        dataset: Any = self.task.build_dataset()
        count = len(dataset) if self.samples is None else min(self.samples, len(dataset))
        numbers = torch.linspace(0, len(dataset) - 1, count, dtype=torch.float64).round().long()
        for part in torch.tensor_split(numbers, -(-count // self.batch_size)):
            yield default_collate([dataset[0, int(index)]["frames"] for index in part]).flatten(0, 1)
