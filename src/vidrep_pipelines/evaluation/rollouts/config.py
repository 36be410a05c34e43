"""How a policy is rolled out."""

from typing import Literal

from pydantic import Field, NonNegativeInt

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import ConfigurationError


class RolloutConfig(FrozenConfig):
    """What determines the actions of a policy beside the policy itself."""

    execute_steps: int = Field(10, ge=1)
    """Actions of a chunk that are executed before the next one is planned; at most the chunk's length.
    Video Prediction Policy executes all 10 on CALVIN."""

    most_steps: int = Field(360, ge=1)
    """Control steps after which an attempt has failed. CALVIN: 360, twelve seconds."""

    render: Literal["when_planning", "always"] = "when_planning"
    """``when_planning``: pictures are rendered only when a chunk is planned, which in a simulator is most of
    the time saved. ``always``: at every control step, as the published evaluations do; for films too."""

    seed: int = 0
    """Of the noise of the plans; every plan draws its own from it."""

    def check_chunk(self, length: int) -> None:
        """Refuses to execute more actions than are planned.

        Args:
            length: Actions of a chunk.

        Raises:
            ConfigurationError: ``execute_steps`` is larger.
        """
        if self.execute_steps > length:
            raise ConfigurationError(
                f"execute_steps is {self.execute_steps}, and the policy plans {length} actions. Remedy: set "
                f"execute_steps to at most {length}."
            )


class FilmsConfig(FrozenConfig):
    """Which episodes are filmed, and how."""

    episodes: NonNegativeInt = 4
    """The first ones. They are attempted once more, each in an environment of its own."""

    frames_per_second: int = Field(8, ge=1)
    """The tabletop's arm is controlled 8 times a second."""

    panel: int = Field(224, ge=32, multiple_of=2)
    """Height in pixels of what a camera sees."""
