"""Parameters of the evaluation on CALVIN."""

from typing import Literal, get_args

from pydantic import Field, NonNegativeInt

from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig

FloorName = Literal["random", "still"]
FLOORS: tuple[FloorName, ...] = get_args(FloorName)


class CalvinPolicyConfig(FrozenConfig):
    """Which policy is evaluated, and beside which floors."""

    kind: Literal["trained", "expert", "random", "still"] = "trained"
    """``trained``: the policy that was trained here. ``expert``: the miniature's own, which looks at the
    state and at no picture. ``random``, ``still``: the floors alone."""

    floors: tuple[FloorName, ...] = FLOORS
    """``random``: every number of every action is drawn evenly from -1..1. ``still``: a robot that does not
    move. Attempts of a floor are planned at once, and so rendered once."""

    floor_sequences: int = Field(100, ge=1)
    """Sequences that floors attempt: the first of those of the evaluation."""


class CalvinRecordingConfig(FrozenConfig):
    """What is kept of attempts to look at, beside their rows."""

    sequences: NonNegativeInt = 4
    """Sequences of the policy that are filmed: the first of those of the evaluation. They are attempted once
    more, each in an environment of its own, and rendered at every control step."""

    frames_per_second: int = Field(30, ge=1)
    """Of films and of exported videos; the robot is controlled 30 times a second."""

    panel: int = Field(224, ge=32, multiple_of=2)
    """Height in pixels of what a camera sees in a film."""


class CalvinExportConfig(FrozenConfig):
    """Where recorded attempts are written for others."""

    lerobot: UserPath | None = None
    """Folder that receives the recorded attempts as a LeRobotDataset of version 3.0; one that is there is
    replaced. ``recording.sequences`` says how many sequences that are. None: nothing is exported."""


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
