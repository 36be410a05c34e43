"""The tokenizer ``vae`` for the training loop."""

import logging
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from PIL.Image import Image
from torch import Tensor, nn

from vidrep_pipelines.models.layers.perceptual_distance import PerceptualDistance
from vidrep_pipelines.models.voc.tokenizers.dataset import StoredFrames, prepare_frames
from vidrep_pipelines.models.voc.tokenizers.pictures import draw_code_use, draw_reconstructions
from vidrep_pipelines.models.voc.tokenizers.task import TokenizerTask
from vidrep_pipelines.models.voc.tokenizers.vae.checkpoint_io import load_into, load_original
from vidrep_pipelines.models.voc.tokenizers.vae.config import VaeConfig, VaeObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.vae.model import VaeTokenizer
from vidrep_pipelines.models.voc.tokenizers.vae.objective import vae_objective
from vidrep_pipelines.training.task import Batch, Metrics, StepInfo

_log = logging.getLogger(__name__)


class VaeTask(TokenizerTask[VaeTokenizer]):
    """Trains on single frames in uniformly random order."""

    name: ClassVar[str] = "voc_vae"
    name_in_digests: ClassVar[str] = "vidrep_pipelines.models.voc.tokenizers.vae.task:VaeTask"
    not_science: ClassVar[dict[str, Any]] = {
        **TokenizerTask.not_science,
        "objective": {"perceptual_trunk", "perceptual_heads"},
    }

    model: VaeConfig = VaeConfig()
    """The architecture."""

    objective: VaeObjectiveConfig = VaeObjectiveConfig()
    """The loss."""

    def files_that_count(self) -> dict[str, Path | None]:
        """Weights to start from, and the networks of the loss if they are used."""
        used = self.objective if self.objective.is_perceptual else VaeObjectiveConfig()
        perceptual = {name: getattr(used, name) for name in ("perceptual_trunk", "perceptual_heads")}
        return {**super().files_that_count(), **perceptual}

    def build_model(self) -> VaeTokenizer:
        """The tokenizer.

        Raises:
            InputError: ``initialize_from`` or a file of the loss cannot be read or holds another network.
        """
        _ = self._perceptual  # before anything is trained
        model = VaeTokenizer(self.model)
        if self.initialize_from is not None:
            load_into(model, load_original(self.initialize_from), str(self.initialize_from))
        return model

    def build_dataset(self) -> StoredFrames:
        """Single frames: ``frames`` (3, H, W) uint8, ``offsets`` (2,), ``seed``."""
        return StoredFrames(self.frame_store, self.split, self.model.pixels.shift, self.seed)

    @cached_property
    def _perceptual(self) -> nn.Module | None:
        trunk, heads = self.objective.perceptual_trunk, self.objective.perceptual_heads
        if not self.objective.is_perceptual or trunk is None or heads is None:
            if self.objective.perceptual_weight:
                _log.info("voc_vae: no files for LPIPS are named, the loss is L1 and the codebook's alone.")
            return None
        return PerceptualDistance.load(trunk, heads).eval()

    def perceptual_on(self, images: Tensor) -> nn.Module | None:
        """The network of the perceptual distance where the pictures are; none without its files."""
        return None if self._perceptual is None else self._perceptual.to(images.device)

    def loss(self, model: VaeTokenizer, batch: Batch, step: StepInfo) -> tuple[Tensor, Metrics]:
        """The loss of frames (B, 3, H, W) uint8, moved by offsets (B, 2)."""
        images = prepare_frames(batch["frames"], self.model.pixels, batch["offsets"])
        losses = vae_objective(model, images, self.objective, self.perceptual_on(images))
        model.observe(losses.outputs.quantized, batch["seed"])
        return losses.loss, losses.metrics()

    def after_update(self, model: VaeTokenizer, step: StepInfo) -> None:
        """Moves a codebook that follows averages."""
        model.follow(step)

    def pictures(self, model: VaeTokenizer) -> dict[str, Image]:
        """Reconstructions of frames that never change, and the use of the codes."""
        samples = self.build_dataset()
        return {
            "reconstructions": draw_reconstructions(model, samples),
            "codes": draw_code_use(model, samples),
        }
