"""Parameters of the evaluation on CALVIN."""

from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig


class CalvinEvaluationConfig(FrozenConfig):
    """Which sequences are attempted, and how.

    Of these parameters all but the intervals' belong to the digest of a result.
    """

    sequences: int = Field(1000, ge=1)
    """Sequences of five tasks. The benchmark's number is 1000; another gives other sequences."""

    rollout: RolloutConfig = RolloutConfig()
    """Execution horizon, steps of a task, when pictures are rendered, seed."""

    block: int = Field(10, ge=1)
    """Sequences of one item of work. Every item makes fresh environments: buttons and switches of the
    simulator remember across resets whether they were pressed."""

    environments: int = Field(1, ge=1)
    """Environments of one item, which run in lock step, so that the policy plans for all at once."""

    confidence: float = Field(0.95, gt=0, lt=1)
    """Level of the intervals."""

    resamples: int = Field(10_000, ge=1)
    """Resamples of the bootstrap, which draws sequences."""
