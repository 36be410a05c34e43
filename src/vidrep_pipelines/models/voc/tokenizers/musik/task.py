"""The tokenizer ``musik`` for the training loop."""

from pathlib import Path
from typing import ClassVar

from torch import Tensor, nn

from vidrep_pipelines.models.voc.tokenizers.dataset import StatePairs, prepare_frames
from vidrep_pipelines.models.voc.tokenizers.musik.checkpoint_io import load_into, load_original
from vidrep_pipelines.models.voc.tokenizers.musik.config import MusikConfig, MusikObjectiveConfig
from vidrep_pipelines.models.voc.tokenizers.musik.model import MusikTokenizer
from vidrep_pipelines.models.voc.tokenizers.musik.objective import draw_negatives, musik_objective
from vidrep_pipelines.models.voc.tokenizers.pictures import draw_code_use
from vidrep_pipelines.models.voc.tokenizers.task import TokenizerTask, save_pictures
from vidrep_pipelines.training.task import Batch, Metrics, StepInfo


class MusikTask(TokenizerTask):
    """Trains on pairs of states and the action that was taken in the first."""

    name_in_digests: ClassVar[str] = "vidrep_pipelines.models.voc.tokenizers.musik.task:MusikTask"
    """What stands for this class in the identity of a run; it stays the same wherever the class goes."""

    system: ClassVar[str] = "voc_musik"

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

    def loss(self, model: nn.Module, batch: Batch, step: StepInfo) -> tuple[Tensor, Metrics]:
        """The loss of pairs (B, 2, frame_stack, 3, H, W) uint8, moved by offsets (B, 2, 2)."""
        assert isinstance(model, MusikTokenizer)
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

    def after_update(self, model: nn.Module, step: StepInfo) -> None:
        """Moves a codebook that follows averages."""
        assert isinstance(model, MusikTokenizer)
        model.follow(step)

    def on_checkpoint(self, model: nn.Module, directory: Path, step: int) -> list[Path]:
        """Draws the use of the codes; there is no way back to pixels."""
        assert isinstance(model, MusikTokenizer)
        return save_pictures({"codes": draw_code_use(model, self.build_dataset())}, directory, step)
