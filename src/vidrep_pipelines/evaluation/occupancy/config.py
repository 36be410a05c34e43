"""Parameters of the evaluation of occupancy models."""

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig


class OccupancyEvaluationConfig(FrozenConfig):
    """What is asked of the model, and of how many states."""

    contexts: int = Field(512, ge=2)
    """Held-out states to start from, spread over all episodes; fewer if there are not so many."""

    baseline_contexts: int = Field(4096, ge=2)
    """States of the training episodes that the baselines are fitted to."""

    samples: int = Field(100, ge=1)
    """States drawn from the discounted future of each, as published."""

    left_out: float = Field(0.01, gt=0, lt=1)
    """Share of the discounted future that may lie beyond an episode's end. States nearer to the end are not
    used, because what they are really worth is not known."""

    seed: int = 0
    """Of all draws."""
