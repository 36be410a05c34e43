"""How good a policy is while it is trained: its loss, and how far sampled chunks are from what was done.

Items, noise and noise levels are always the same, so that two measurements differ by the model alone. The
published validation draws new noise each time, and divides by a number that grows, so that it falls alone.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.utils.data import default_collate

from vidrep_pipelines.models.vpp.policy.config import PolicyValidationConfig
from vidrep_pipelines.models.vpp.policy.model import PolicyModel
from vidrep_pipelines.models.vpp.policy.task import PolicyTask
from vidrep_pipelines.training.task import StepInfo
from vidrep_pipelines.training.update import move_to


class PolicyValidation(PolicyValidationConfig):
    """The measurements of a task; a :class:`~vidrep_pipelines.training.probe.Probe`."""

    of_whole_model: ClassVar[bool] = True

    task: PolicyTask
    """Model and items, on the held-out split."""

    def measure(self, encoder: PolicyModel) -> dict[str, float]:
        """Losses and errors of sampled chunks.

        Returns:
            ``loss``: the mean loss. ``action_error``: the mean squared error of sampled chunks, as the
            original measures. ``mean_action_error``: that of the items' mean action, which knows nothing of
            the moment: a policy above it has learned nothing.
        """
        keys = self.task.fixed_items(self.items)
        sampled = self.task.sampled_actions(encoder, keys)
        mean = sampled.truth.mean(dim=(0, 1))
        return {
            "loss": self._loss(encoder),
            "action_error": _mean_square(sampled.sampled - sampled.truth),
            "mean_action_error": _mean_square(sampled.truth - mean),
        }

    @torch.no_grad()
    def _loss(self, model: PolicyModel) -> float:
        device = next(model.parameters()).device
        total = items = 0.0
        for batch in self._batches():
            loss, _ = self.task.loss(model, move_to(batch, device), StepInfo(0, 0.0, torch.Tensor.detach))
            total, items = total + float(loss) * len(batch["index"]), items + len(batch["index"])
        return total / items

    def _batches(self) -> Iterator[dict[str, Any]]:
        dataset, keys = self.task.build_dataset(), self.task.fixed_items(self.items)
        for start in range(0, len(keys), self.batch_size):
            yield default_collate([dataset[key] for key in keys[start : start + self.batch_size]])


def _mean_square(values: Tensor) -> float:
    return float(values.double().square().mean())
