"""Measurements of the representation while it is trained, such as a quick downstream evaluation."""

import logging
import time
from typing import Any, Protocol, cast

import torch
from torch import nn

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.training import distributed
from vidrep_pipelines.training.config import ProbeSpec
from vidrep_pipelines.training.inspection import evaluation_mode, own_random_state, whole_model
from vidrep_pipelines.training.schedule import Schedule
from vidrep_pipelines.training.task import HasImageEncoder, Task, load_described

_log = logging.getLogger(__name__)


class Probe(Protocol):
    """What measures. Implement it by a frozen pydantic model.

    One with a class attribute ``of_whole_model = True`` is given the model itself, in place of its encoder.
    """

    def measure(self, encoder: Any) -> dict[str, float]:
        """Scores of what ``task.image_encoder(model)`` returned, by name. Runs on the first process."""


class Probing:
    """When to probe, and how, in a training process.

    Args:
        spec: The probe. None: never.
        task: Supplies the image encoder of the model.
        schedule: Says which update ends a pass over the data.

    Raises:
        ConfigurationError: There is no such probe, or the task has no image encoder.
    """

    def __init__(self, spec: ProbeSpec | None, task: Task[Any], schedule: Schedule) -> None:
        self._task = task
        self._interval = 0 if spec is None else _updates_between(spec, schedule)
        self._last = schedule.steps
        self.measures_untrained = spec is not None and spec.untrained
        """Whether to measure before the first update, too."""
        self._probe = None if spec is None else _load(spec)
        self._of_whole_model = bool(getattr(self._probe, "of_whole_model", False))
        if spec is not None and not self._of_whole_model and not isinstance(task, HasImageEncoder):
            raise ConfigurationError(
                f"{task.name} has no image encoder that a probe could measure. Set probe.every to null."
            )

    def due(self, step: int) -> bool:
        """Whether to probe after ``step`` updates: every so many passes or updates, and at the end."""
        return self._interval > 0 and (step % self._interval == 0 or step == self._last)

    def measure(self, model: nn.Module, device: torch.device) -> dict[str, float]:
        """Scores by name; empty on all but the first process. Every process must call this."""
        started, whole = time.monotonic(), whole_model(self._task, model, device)
        scores: dict[str, float] = {}
        if distributed.is_main():
            assert self._probe is not None
            with own_random_state(device), evaluation_mode(whole), torch.no_grad():
                scores = self._probe.measure(self._measured(whole))
            shown = ", ".join(f"probe/{name} {value:.4g}" for name, value in scores.items())
            _log.info("%s (%.0f s)", shown, time.monotonic() - started)
        distributed.barrier()
        return scores

    def _measured(self, model: nn.Module) -> nn.Module:
        return model if self._of_whole_model else cast(HasImageEncoder[Any], self._task).image_encoder(model)


def _updates_between(spec: ProbeSpec, schedule: Schedule) -> int:
    return spec.every_steps or (spec.every or 1) * schedule.steps_per_epoch


def _load(spec: ProbeSpec) -> Probe:
    return cast(Probe, load_described(spec.probe, spec.config, "spec.probe", has="measure"))
