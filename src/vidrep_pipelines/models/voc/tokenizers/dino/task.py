"""The tokenizer ``dino`` for the training loop."""

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from PIL.Image import Image
from torch import Tensor, nn

from vidrep_pipelines.models.voc.tokenizers.dataset import StoredFrames, prepare_frames
from vidrep_pipelines.models.voc.tokenizers.dino.checkpoint_io import load_into, load_original
from vidrep_pipelines.models.voc.tokenizers.dino.config import VqkdConfig, VqkdObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.dino.model import VqkdTokenizer
from vidrep_pipelines.models.voc.tokenizers.dino.objective import Teacher, vqkd_objective
from vidrep_pipelines.models.voc.tokenizers.pictures import draw_code_use
from vidrep_pipelines.models.voc.tokenizers.task import TokenizerTask
from vidrep_pipelines.training.task import Batch, Metrics, StepInfo


class VqkdTask(TokenizerTask[VqkdTokenizer]):
    """Trains on single frames in uniformly random order. VOC itself uses published weights."""

    name: ClassVar[str] = "voc_dino"
    name_in_digests: ClassVar[str] = "vidrep_pipelines.models.voc.tokenizers.vqkd.task:VqkdTask"
    not_science: ClassVar[dict[str, Any]] = {
        **TokenizerTask.not_science,
        "objective": {"teacher": {"weights"}},
    }

    model: VqkdConfig = VqkdConfig()
    """The architecture."""

    objective: VqkdObjectiveConfig = VqkdObjectiveConfig()
    """The loss and its teacher."""

    def files_that_count(self) -> dict[str, Path | None]:
        """Weights to start from, and the teacher's if it has any."""
        teacher = self.objective.teacher
        return {**super().files_that_count(), "teacher": teacher.weights if teacher.kind == "file" else None}

    @cached_property
    def _teacher(self) -> Teacher:
        return Teacher.build(self.objective.teacher, self.model.pixels.size)

    def build_model(self) -> VqkdTokenizer:
        """The tokenizer.

        Raises:
            InputError: ``initialize_from`` or the teacher cannot be read or is another network.
            ConfigurationError: The teacher's file is not named.
        """
        _ = self._teacher  # before anything is trained
        model = VqkdTokenizer(self.model)
        if self.initialize_from is not None:
            load_into(model, load_original(self.initialize_from), str(self.initialize_from))
        return model

    def build_dataset(self) -> StoredFrames:
        """Single frames: ``frames`` (3, H, W) uint8, ``offsets`` (2,), ``seed``."""
        return StoredFrames(self.frame_store, self.split, self.model.pixels.shift, self.seed)

    def shard_units(self, model: VqkdTokenizer) -> list[nn.Module]:
        """The blocks of both transformers."""
        return [
            block
            for network in (model.encoder, model.decoder)
            for block in network.get_submodule("blocks").children()
        ]

    def loss(self, model: VqkdTokenizer, batch: Batch, step: StepInfo) -> tuple[Tensor, Metrics]:
        """The loss of frames (B, 3, H, W) uint8, moved by offsets (B, 2).

        The first batch of all, over all processes, initializes the codes.
        """
        images = prepare_frames(batch["frames"], self.model.pixels, batch["offsets"])
        if not model.quantizer.initialized:
            self._initialize(model, images, step)
        losses = vqkd_objective(model, self._teacher.to(images.device), images, self.objective.beta)
        outputs = losses.outputs
        model.quantizer.observe(outputs.directions.detach().flatten(0, -2), outputs.codes.flatten())
        return losses.loss, losses.metrics()

    @torch.no_grad()
    def _initialize(self, model: VqkdTokenizer, images: Tensor, step: StepInfo) -> None:
        directions = model.quantizer.directions(model.latents(images)).flatten(0, -2)
        generator = torch.Generator().manual_seed(self.seed)
        everyone = step.gather_across_ranks(directions)
        model.quantizer.initialize(everyone, generator, self.objective.kmeans_iterations)

    def after_update(self, model: VqkdTokenizer, step: StepInfo) -> None:
        """Moves the codes toward the directions that were assigned to them."""
        model.quantizer.update(self.objective.decay, step.gather_across_ranks)

    def pictures(self, model: VqkdTokenizer) -> dict[str, Image]:
        """The use of the codes; there is no way back to pixels."""
        return {"codes": draw_code_use(model, self.build_dataset())}
