"""Learning rate and length of a run."""

import math
from dataclasses import dataclass

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.training.config import TrainConfig, TriStageConfig

_REFERENCE_BATCH_SIZE = 256


def scaled_learning_rate(base_learning_rate: float, batch_size: int) -> float:
    """Linear scaling rule (Goyal et al. 2017, arXiv 1706.02677): the base rate is for 256 items."""
    return base_learning_rate * batch_size / _REFERENCE_BATCH_SIZE


def learning_rate(
    epoch: float, *, base: float, minimum: float, epochs: float, warmup_epochs: float, start: float = 0.0
) -> float:
    """Linear warm-up to ``base``, then half a cosine down to ``minimum``.

    Args:
        epoch: Passes done, with fraction; in [0, epochs].
        base: The peak, reached at ``warmup_epochs``.
        minimum: Reached at ``epochs``.
        epochs: Length of the run in passes.
        warmup_epochs: Length of the warm-up in passes.
        start: Where the warm-up begins.
    """
    if epoch < warmup_epochs:
        return start + (base - start) * epoch / warmup_epochs
    progress = min(1.0, (epoch - warmup_epochs) / max(epochs - warmup_epochs, 1e-12))
    return minimum + (base - minimum) * 0.5 * (1.0 + math.cos(math.pi * progress))


def learning_rate_of_epoch(
    epoch: int, *, base: float, minimum: float, epochs: int, warmup_epochs: int, start: float = 0.0
) -> float:
    """The same for a rate that changes once per pass, as CARL's published schedules count.

    The last pass of the warm-up already has the peak rate, and so has the first one after it. The cosine is
    as long as if one more pass followed, so that ``minimum`` is not reached.

    Args:
        epoch: Number of the pass, from 0.
        base: The peak.
        minimum: What the cosine approaches.
        epochs: Length of the run in passes.
        warmup_epochs: Passes of warm-up.
        start: Rate of the first pass of the warm-up.
    """
    if epoch < warmup_epochs:
        return start + (base - start) * epoch / max(warmup_epochs - 1, 1)
    progress = (epoch - warmup_epochs) / (epochs + 1 - warmup_epochs)
    return minimum + (base - minimum) * 0.5 * (1.0 + math.cos(math.pi * progress))


def tri_stage_learning_rate(step: int, *, base: float, steps: int, stages: TriStageConfig) -> float:
    """Linear warm-up, the peak for a while, half a cosine, and what is left at the end of it.

    As Video Prediction Policy (arXiv 2412.14803) computes it. Its training attaches it to an optimizer that
    is not used and keeps the peak throughout; its comments call the cosine exponential.

    Args:
        step: Updates done.
        base: The peak.
        steps: Updates of the whole run.
        stages: Their shares, and the rates at both ends.
    """
    warmup, hold, decay = (int(steps * share) for share in stages.shares)
    first, last = stages.start_factor * base, stages.end_factor * base
    if step < warmup:
        return first + (base - first) * step / warmup
    if step < warmup + hold:
        return base
    done = step - warmup - hold
    if done > decay or decay == 0:
        return last
    return last + (base - last) * 0.5 * (1.0 + math.cos(math.pi * done / decay))


@dataclass(frozen=True)
class Schedule:
    """A run's length and learning rate by update."""

    steps_per_epoch: int
    steps: int
    warmup_epochs: float
    base: float
    minimum: float
    warmup_start: float = 0.0
    by_epoch: bool = False
    stages: TriStageConfig | None = None
    horizon: int | None = None
    """Updates that the cosine is laid out over. None: ``steps``."""

    def epoch(self, step: int) -> float:
        """Passes over the data done after ``step`` updates."""
        return step / self.steps_per_epoch

    def learning_rate(self, step: int) -> float:
        """Learning rate of the update that follows ``step`` earlier ones."""
        if self.stages is not None:
            return tri_stage_learning_rate(step, base=self.base, steps=self.steps, stages=self.stages)
        if self.by_epoch:
            return learning_rate_of_epoch(
                step // self.steps_per_epoch,
                base=self.base,
                minimum=self.minimum,
                epochs=math.ceil(self.epoch(self.steps)),
                warmup_epochs=math.ceil(self.warmup_epochs),
                start=self.warmup_start,
            )
        return learning_rate(
            self.epoch(step),
            base=self.base,
            minimum=self.minimum,
            epochs=self.epoch(self.horizon or self.steps),
            warmup_epochs=self.warmup_epochs,
            start=self.warmup_start,
        )


def plan_schedule(train: TrainConfig, items: int, samples_per_item: int) -> Schedule:
    """Turns published epochs into updates on a data set of ``items`` items; incomplete batches are dropped.

    Raises:
        ConfigurationError: The data set is smaller than a batch, or the warm-up longer than the run.
    """
    if items < train.batch_size:
        raise ConfigurationError(
            f"The data set has {items} items, fewer than train.batch_size = {train.batch_size}. "
            f"Lower train.batch_size to at most {items} or add data."
        )
    steps_per_epoch = items // train.batch_size
    steps = train.steps or _passes(train, samples_per_item) * steps_per_epoch
    optimizer = train.optimizer
    stages = optimizer.tri_stage if optimizer.schedule == "tri_stage" else None
    if stages is not None:
        warmup_epochs = 0.0
    elif optimizer.warmup_steps is None:
        warmup_epochs = float(optimizer.warmup_epochs // samples_per_item)
    else:
        warmup_epochs = optimizer.warmup_steps / steps_per_epoch
    if warmup_epochs * steps_per_epoch > steps:
        raise ConfigurationError(
            f"The warm-up takes {warmup_epochs * steps_per_epoch:.0f} updates, the whole run only {steps}. "
            "Lower train.optimizer.warmup_epochs (or set train.optimizer.warmup_steps), or train longer."
        )
    peak = optimizer.learning_rate or scaled_learning_rate(optimizer.base_learning_rate, train.batch_size)
    return Schedule(
        steps_per_epoch,
        steps,
        warmup_epochs,
        base=peak,
        minimum=peak if optimizer.schedule == "constant" else optimizer.minimum_learning_rate,
        warmup_start=optimizer.warmup_learning_rate,
        by_epoch=optimizer.rate_changes == "every_epoch",
        stages=stages,
        horizon=None if optimizer.schedule_steps is None else max(optimizer.schedule_steps, steps),
    )


def _passes(train: TrainConfig, samples_per_item: int) -> int:
    """Real passes over the data: the published epochs, each of which counts one sample per item."""
    passes = (train.epochs or 0) // samples_per_item
    if passes == 0:
        raise ConfigurationError(
            f"train.epochs = {train.epochs} is less than one pass, because {samples_per_item} samples are "
            f"drawn per item. Set train.epochs to at least {samples_per_item}."
        )
    return passes
