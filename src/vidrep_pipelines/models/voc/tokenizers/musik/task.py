"""The tokenizer ``musik`` for the training loop."""

from typing import ClassVar

from PIL.Image import Image
from torch import Tensor

from vidrep_pipelines.models.voc.tokenizers.dataset import StatePairs, prepare_frames
from vidrep_pipelines.models.voc.tokenizers.musik.checkpoint_io import load_into, load_original
from vidrep_pipelines.models.voc.tokenizers.musik.config import MusikConfig, MusikObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.musik.model import MusikTokenizer
from vidrep_pipelines.models.voc.tokenizers.musik.objective import draw_negatives, musik_objective
from vidrep_pipelines.models.voc.tokenizers.pictures import draw_code_use
from vidrep_pipelines.models.voc.tokenizers.task import TokenizerTask
from vidrep_pipelines.training.task import Batch, Metrics, StepInfo


class MusikTask(TokenizerTask[MusikTokenizer]):
    """Trains on pairs of states and the action that was taken in the first."""

    name: ClassVar[str] = "voc_musik"
    name_in_digests: ClassVar[str] = "vidrep_pipelines.models.voc.tokenizers.musik.task:MusikTask"

    model: MusikConfig = MusikConfig()
    """The architecture."""

    objective: MusikObjectiveConfig = MusikObjectiveConfig()
    """The loss."""

    def build_model(self) -> MusikTokenizer:
        """The tokenizer with its contrastive head, which starts at random in any case.

        Raises:
            InputError: ``initialize_from`` cannot be read or holds another network.
        """
        model = MusikTokenizer(self.model)
        if self.initialize_from is not None:
            load_into(model, load_original(self.initialize_from), str(self.initialize_from))
        return model

    def build_dataset(self) -> StatePairs:
        """Pairs of states: ``frames`` (2, frame_stack, 3, H, W) uint8, ``offsets`` (2, 2), ``action``.

        Raises:
            InputError: An episode has no actions, or faulty ones.
            ConfigurationError: Actions have another size.
        """
        return StatePairs(self.frame_store, self.split, self.model, self.objective, self.seed)

    def loss(self, model: MusikTokenizer, batch: Batch, step: StepInfo) -> tuple[Tensor, Metrics]:
        """The loss of pairs (B, 2, frame_stack, 3, H, W) uint8, moved by offsets (B, 2, 2)."""
        states, later = (
            prepare_frames(batch["frames"][:, part], self.model.pixels, batch["offsets"][:, part])
            for part in range(2)
        )
        seeds, actions = batch["seed"], batch["action"]
        negatives = draw_negatives(self.objective.negatives, actions.shape[1], seeds).to(actions)
        losses = musik_objective(model, states, later, actions, negatives, self.objective.quantization)
        for quantized in losses.quantized:
            model.observe(quantized, seeds)
        return losses.loss, losses.metrics()

    def after_update(self, model: MusikTokenizer, step: StepInfo) -> None:
        """Moves a codebook that follows averages."""
        model.follow(step)

    def pictures(self, model: MusikTokenizer) -> dict[str, Image]:
        """The use of the codes; there is no way back to pixels."""
        return {"codes": draw_code_use(model, self.build_dataset())}
