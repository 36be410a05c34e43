"""A trained model behind arrays, for evaluations that know no system."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidrep_pipelines.models.voc.model import VocModel
from vidrep_pipelines.models.voc.values import future_log_probabilities, future_rewards, sample_futures

_ROWS_AT_ONCE = 64

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


class OccupancyPredictor:
    """Answers questions about batches of states; an ``OccupancyModel`` of the evaluation.

    Args:
        model: Is put in evaluation mode. As published, the target network draws samples and the trained one
            says how likely states are.
        top_k: Draw from so many likeliest tokens. None: all.
    """

    def __init__(self, model: VocModel, top_k: int | None = None) -> None:
        self._model, self._top_k = model.eval(), top_k
        self._device = next(model.parameters()).device

    def state_samples(
        self, states: IntArray, seeds: IntArray, samples: int, actions: FloatArray | None = None
    ) -> IntArray:
        """States (n, samples, T) drawn from the discounted future of ``states`` (n, T)."""
        drawn: IntArray = self._futures(states, seeds, samples, actions).cpu().numpy()
        return drawn

    def reward_samples(
        self, states: IntArray, seeds: IntArray, samples: int, actions: FloatArray | None = None
    ) -> FloatArray:
        """Predicted rewards (n, samples) of such states."""
        return _array(future_rewards(self._model, self._futures(states, seeds, samples, actions)))

    @torch.no_grad()
    def rewards(self, states: IntArray) -> FloatArray:
        """Predicted rewards (n,) of states (n, T)."""
        parts = torch.split(self._codes(states), _ROWS_AT_ONCE)
        return _array(torch.cat([self._model.rewards(part) for part in parts]))

    def log_probabilities(
        self, states: IntArray, futures: IntArray, actions: FloatArray | None = None
    ) -> FloatArray:
        """Logarithms (n, T) of the probability of each token of ``futures`` (n, T) after ``states``."""
        return self.token_scores(states, futures, actions)[0]

    def token_scores(
        self, states: IntArray, futures: IntArray, actions: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """The same, and the logits (n, T) of the same tokens, before any normalization."""
        contexts, following, action = self._codes(states), self._codes(futures), self._actions(actions)
        parts = [
            future_log_probabilities(
                self._model.gpt, contexts[rows], following[rows], None if action is None else action[rows]
            )
            for rows in torch.split(torch.arange(len(contexts)), _ROWS_AT_ONCE)
        ]
        likely, raw = (torch.cat(column) for column in zip(*parts, strict=True))
        return _array(likely), _array(raw)

    def _futures(self, states: IntArray, seeds: IntArray, samples: int, actions: FloatArray | None) -> Tensor:
        return sample_futures(
            self._model,
            self._codes(states),
            torch.from_numpy(seeds),
            samples,
            action=self._actions(actions),
            top_k=self._top_k,
        )

    def _codes(self, states: IntArray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(states)).to(self._device)

    def _actions(self, actions: FloatArray | None) -> Tensor | None:
        return None if actions is None else torch.from_numpy(actions).float().to(self._device)


def _array(values: Tensor) -> FloatArray:
    array: FloatArray = values.double().cpu().numpy()
    return array
