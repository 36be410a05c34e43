"""Parameters of the evaluation of occupancy models."""

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig


class OccupancyEvaluationConfig(FrozenConfig):
    """What is asked of the model, and of how many states."""

    split: str = "test"
    """Part of the episodes that the model is scored on; they must not be trained on."""

    training_split: str = "train"
    """Part that the baselines are fitted to."""

    contexts: int = Field(512, ge=2)
    """Held-out states to start from, spread over all episodes; fewer if there are not so many."""

    baseline_contexts: int = Field(4096, ge=2)
    """States of the training episodes that the baselines are fitted to."""

    samples: int = Field(100, ge=1)
    """States drawn from the discounted future of each, as published."""

    left_out: float = Field(0.01, gt=0, lt=1)
    """Share of the discounted future that may lie beyond an episode's end. States nearer to the end are not
    used, because what they are really worth is not known."""

    confidence: float = Field(0.95, gt=0, lt=1)
    """Probability that a bootstrap interval, which resamples whole episodes, covers the true value."""

    resamples: int = Field(1000, ge=1)
    """How often the bootstrap draws episodes anew."""

    seed: int = 0
    """Seed of all draws."""


class FuturesConfig(FrozenConfig):
    """Which futures are shown."""

    contexts: int = Field(3, ge=1)
    """Held-out states to start from, each of another episode: where its reward changes the most."""

    samples: int = Field(3, ge=1)
    """Futures drawn for each."""

    jumps: int = Field(4, ge=1)
    """How often the model is asked for the future of what it gave before. A jump takes ``1 / (1 - gamma)``
    steps on the average, so that what is shown is further and further ahead."""

    mean_samples: int = Field(24, ge=1)
    """Samples of the first jump whose mean picture is shown."""

    split: str = "test"
    """The part of the episodes that is shown."""

    seed: int = 0
    """Seed of the draws."""
