"""Joint training of a tokenizer and an occupancy model, for the training loop."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from PIL.Image import Image
from torch import Tensor, nn

from vidrep_pipelines.models.voc.gpt import GptBlock
from vidrep_pipelines.models.voc.joint.config import JointConfig, JointObjectiveConfig
from vidrep_pipelines.models.voc.joint.dataset import JointSamples
from vidrep_pipelines.models.voc.joint.model import JointModel
from vidrep_pipelines.models.voc.model import occupancy_groups, with_constant_rate
from vidrep_pipelines.models.voc.objective import OccupancyBatch, OccupancyLosses, occupancy_objective
from vidrep_pipelines.models.voc.sampling import draw_uniforms
from vidrep_pipelines.models.voc.tokenizers.dataset import prepare_frames
from vidrep_pipelines.models.voc.tokenizers.vae.objective import VaeLosses, vae_objective
from vidrep_pipelines.models.voc.tokenizers.vae.task import VaeTask
from vidrep_pipelines.training.optimizer import weight_decay_groups
from vidrep_pipelines.training.system_task import SystemTask
from vidrep_pipelines.training.task import Batch, Metrics, StepInfo

_TOKENIZER_DECAY = 0.01
"""Weight decay of the second optimizer of the released script."""


class JointTask(SystemTask[JointModel]):
    """From pixels to the discounted future in one training, as the released pixel script does it.

    The tokenizer learns to rebuild the frames of the contexts; the occupancy model learns from the codes that
    it gives at the moment. With that it is a :class:`~vidrep_pipelines.training.task.Task` that also follows
    updates.
    """

    name: ClassVar[str] = "voc_joint"
    name_in_digests: ClassVar[str] = "vidrep_pipelines.models.voc.joint.task:JointTask"
    not_science: ClassVar[set[str] | dict[str, Any]] = {"frame_store", "initialize_from"}

    frame_store: Path
    """Folder of the episodes' frames."""

    split: str = "train"
    """Part of the store that is trained on."""

    model: JointConfig
    """The architecture."""

    objective: JointObjectiveConfig
    """The losses."""

    initialize_from: Path | None = None
    """Weights of the tokenizer to start from, in the published layout. None: random initialization."""

    @cached_property
    def tokenizer(self) -> VaeTask:
        """The tokenizer's part of the task."""
        return VaeTask(
            frame_store=self.frame_store,
            split=self.split,
            model=self.model.tokenizer,
            objective=self.objective.tokenizer,
            initialize_from=self.initialize_from,
            seed=self.seed,
        )

    def identity(self) -> dict[str, Any]:
        """What determines the result: no machine paths, but the content of the files that are used.

        Raises:
            InputError: A file cannot be read.
        """
        return {
            "tokenizer": self.tokenizer.identity(),
            "model": self.model.occupancy.model_dump(mode="json"),
            "objective": self.objective.occupancy.model_dump(mode="json"),
            "occupancy_weight": self.objective.occupancy_weight,
        }

    def build_model(self) -> JointModel:
        """Both networks.

        Raises:
            InputError: ``initialize_from`` or a file of the loss cannot be read or holds another network.
        """
        model = JointModel(self.model)
        model.tokenizer = self.tokenizer.build_model()
        model.share_codebook()
        return model

    def build_dataset(self) -> JointSamples:
        """Frames of contexts, of the states that follow and of targets.

        Raises:
            InputError: An episode has no rewards.
            ConfigurationError: The episodes do not fit the model.
        """
        target = self.objective.occupancy.target
        return JointSamples(self.frame_store, self.split, self.model, target, self.seed)

    def item_names(self, indices: Sequence[int]) -> list[str]:
        """Episodes and steps, for error messages."""
        samples = self.build_dataset()
        return [samples.name(index) for index in indices]

    def parameter_groups(self, model: JointModel, weight_decay: float) -> list[dict[str, Any]]:
        """The published groups: the GPT has the optimizer's decay, the rest that of a second optimizer."""
        constant = self.objective.occupancy.second_rate == "constant"
        tokenizer = weight_decay_groups(model.tokenizer, _TOKENIZER_DECAY)
        if constant:
            tokenizer = [with_constant_rate(group) for group in tokenizer]
        occupancy = occupancy_groups(model.occupancy, weight_decay, constant_second_rate=constant)
        return [*occupancy, *tokenizer]

    def shard_units(self, model: JointModel) -> list[nn.Module]:
        """The transformer blocks, and the levels of the tokenizer."""
        blocks = [module for module in model.modules() if isinstance(module, GptBlock)]
        return [*blocks, *self.tokenizer.shard_units(model.tokenizer)]

    def compiled_units(self, model: JointModel) -> list[nn.Module]:
        """The parts that are compiled in the two networks by themselves."""
        return [*model.occupancy.gpt.blocks, *self.tokenizer.shard_units(model.tokenizer)]

    def loss(self, model: JointModel, batch: Batch, step: StepInfo) -> tuple[Tensor, Metrics]:
        """The loss of frames (B, 3, frame_stack, 3, H, W) uint8, moved by offsets (B, 2)."""
        images = prepare_frames(batch["frames"], self.model.tokenizer.pixels, batch["offsets"])
        rebuilt = self._rebuild(model, images[:, 0], batch["seed"])
        model.share_codebook()
        predicted = self._predict(model, images, rebuilt.outputs.quantized.codes, batch)
        loss = rebuilt.loss + self.objective.occupancy_weight * predicted.loss
        return loss, {**rebuilt.metrics(), **predicted.metrics()}

    def _rebuild(self, model: JointModel, contexts: Tensor, seeds: Tensor) -> VaeLosses:
        frames = contexts.flatten(0, 1)
        perceptual = self.tokenizer.perceptual_on(frames)
        losses = vae_objective(model.tokenizer, frames, self.objective.tokenizer, perceptual)
        model.tokenizer.observe(losses.outputs.quantized, seeds)
        return losses

    def _predict(self, model: JointModel, images: Tensor, codes: Tensor, batch: Batch) -> OccupancyLosses:
        context = codes.reshape(len(images), -1)
        uniforms = draw_uniforms(batch["seed"], 1, context.shape[1], context.device)[:, 0]
        samples = OccupancyBatch(
            context=context,
            following=model.encode(images[:, 1]),
            reward=batch["reward"],
            target=model.encode(images[:, 2]),
            bootstrap=batch["bootstrap"],
            action=batch.get("action"),
            target_action=batch.get("target_action"),
        )
        return occupancy_objective(model.occupancy, samples, uniforms, self.objective.occupancy)

    def after_update(self, model: JointModel, step: StepInfo) -> None:
        """Moves the target network, and a codebook that follows averages."""
        model.tokenizer.follow(step)
        model.share_codebook()
        model.occupancy.follow(self.objective.occupancy.ema_decay)

    def pictures(self, model: JointModel) -> Mapping[str, Image]:
        """Reconstructions, and the use of the codes."""
        return self.tokenizer.pictures(model.tokenizer)
