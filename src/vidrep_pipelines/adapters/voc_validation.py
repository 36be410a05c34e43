"""How good an occupancy model is on held-out episodes while it is trained: its loss, and its values."""

import logging
import math
from typing import ClassVar

import torch

from vidrep_pipelines.adapters.occupancy import split_of, state_episodes
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.token_episodes.episodes import join_episodes
from vidrep_pipelines.data.token_episodes.file import read_token_episodes
from vidrep_pipelines.evaluation.occupancy.config import OccupancyEvaluationConfig
from vidrep_pipelines.evaluation.occupancy.measurement import measure_contexts
from vidrep_pipelines.evaluation.occupancy.scores import score_table
from vidrep_pipelines.models.shared.effective_rank import rank_of_outputs
from vidrep_pipelines.models.voc.config import VocValidationConfig
from vidrep_pipelines.models.voc.inference import OccupancyPredictor
from vidrep_pipelines.models.voc.model import VocModel
from vidrep_pipelines.models.voc.task import VocTask
from vidrep_pipelines.models.voc.validation import held_out_losses

_log = logging.getLogger(__name__)


class VocValidation(VocValidationConfig):
    """The measurements of a task; a :class:`~vidrep_pipelines.training.probe.Probe`.

    Contexts, their futures and all draws are always the same: two measurements differ by the model alone.
    """

    of_whole_model: ClassVar[bool] = True

    task: VocTask
    """Loss and samples, on the held-out split."""

    @torch.no_grad()
    def measure(self, encoder: VocModel) -> dict[str, float]:
        """Scores on the held-out episodes.

        Args:
            encoder: The model in evaluation mode.

        Returns:
            ``loss`` and its parts; ``rankme``, how many directions the hidden states use, from 1 to their
            width; with ``evaluate``, of a model with a reward head, the scores of
            ``eval_occupancy_...`` on ``contexts`` states, such as ``value_error``.
        """
        evaluated = self._evaluated(encoder) if self.evaluate and encoder.reward_head is not None else {}
        with rank_of_outputs(encoder.gpt.norm, lambda _, hidden: hidden) as rank:
            losses = held_out_losses(self.task, encoder, self.items, self.batch_size)
        return {**losses, "rankme": rank.value(), **evaluated}

    def _evaluated(self, model: VocModel) -> dict[str, float]:
        """Scores of values; none, with a line in the log, where they cannot be measured at all."""
        tokens = join_episodes([read_token_episodes(path) for path in self.task.tokens])
        config = OccupancyEvaluationConfig(
            split=self.split,
            contexts=self.contexts,
            baseline_contexts=self.contexts,
            samples=self.samples,
            resamples=1,  # values; no intervals
        )
        try:
            held_out, training = (
                state_episodes(split_of(tokens, split, "validation.split"), model.config)
                for split in (config.split, config.training_split)
            )
            values = measure_contexts(
                OccupancyPredictor(model),
                held_out,
                training,
                gamma=self.task.objective.target.gamma,
                vocabulary=tokens.vocabulary,
                config=config,
            )
        except InputError as error:
            _log.warning("voc: values are not measured while training. %s", error)
            return {}
        rows = score_table(values, config)[["metric", "value"]].to_dict("records")
        scores = {str(row["metric"]): float(row["value"]) for row in rows}
        return {name: value for name, value in scores.items() if math.isfinite(value)}
