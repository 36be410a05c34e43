"""Parameters of demonstrations in the DeepMind Control Suite."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, Self

from pydantic import Field, model_validator

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import ConfigurationError

DmcTask = Literal["cartpole-balance", "reacher-easy", "point_mass-easy"]

DMC_INSTRUCTIONS: Mapping[DmcTask, str] = MappingProxyType(
    {
        "cartpole-balance": "balance the pole",
        "reacher-easy": "bring the arm to the target",
        "point_mass-easy": "move the ball to the target",
    }
)
"""What the tasks are called in words; no two are told the same."""

MOST_DMC_CONTROL_STEPS = 1000
"""Control steps after which an episode of the suite ends; the reward of each is at most 1."""


class DmcPicturesConfig(FrozenConfig):
    """How the scenes are filmed: by the suite's first camera, ``fixed``."""

    width: int = Field(128, ge=16, le=480)
    """Pixels."""
    height: int = Field(128, ge=16, le=480)
    """Pixels."""
    quality: Literal["fast", "published"] = "fast"
    """``fast``: without shadows, reflections and multisampling, three to four times faster in software.
    ``published``: with them. It is part of the renderer's name in results."""

    @property
    def renderer(self) -> str:
        """What results call it, such as ``dmc/fast_128x128``."""
        return f"dmc/{self.quality}_{self.height}x{self.width}"


class DmcEpisodesConfig(FrozenConfig):
    """Episodes of closed-form controllers (extra ``robots``); no two of them begin alike."""

    tasks: tuple[DmcTask, ...] = Field(("reacher-easy", "cartpole-balance"), min_length=1)
    """Names of the tasks: those that a controller is known for."""
    pictures: DmcPicturesConfig = DmcPicturesConfig()
    """How they are filmed."""
    action_repeat: int = Field(4, ge=1)
    """Control steps per action, and per picture; their rewards are added up."""
    control_steps: int = Field(MOST_DMC_CONTROL_STEPS, ge=1, le=MOST_DMC_CONTROL_STEPS)
    """Length of an episode, a multiple of ``action_repeat``. Published returns are of 1000."""
    success_score: float = Field(0.8, gt=0, le=1)
    """An episode's score is its return over the longest possible one, ``control_steps``. It has succeeded if
    its score, when it is over, is at least this. Doing nothing scores up to 0.78 in ``cartpole-balance``,
    the controllers at least 0.85 in all tasks."""
    train_layouts: int = Field(25, ge=1)
    """Starts of each task to learn from. More of them leave the first ones as they are."""
    validation_layouts: int = Field(5, ge=0)
    """Other starts of each task, to choose by."""
    test_layouts: int = Field(25, ge=0)
    """Further starts of each task: rollouts begin there."""
    noise: float = Field(0.3, ge=0)
    """Standard deviation of what is added to the controller's actions, which are in -1..1; what was executed
    is recorded. It shows a policy how mistakes are mended: without it, heads on the exact state clone 25
    episodes of ``cartpole-balance`` worse than doing nothing."""
    instructions: Mapping[DmcTask, str] = Field({})
    """Other words for a task than those of ``DMC_INSTRUCTIONS``."""
    seed: int = 0
    """Everything that is drawn follows from it."""

    @property
    def episode_actions(self) -> int:
        """Actions of an episode."""
        return self.control_steps // self.action_repeat

    def known_task(self, name: str) -> DmcTask:
        """The task of that name.

        Raises:
            ConfigurationError: It is none of ``tasks``.
        """
        for task in self.tasks:
            if task == name:
                return task
        raise ConfigurationError(f"{name!r} is no task of dmc.tasks: {', '.join(self.tasks)}.")

    def instruction(self, task: DmcTask) -> str:
        """What is said for a task."""
        return self.instructions.get(task) or DMC_INSTRUCTIONS[task]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"dmc: a task is listed twice in {list(self.tasks)}")
        if self.control_steps % self.action_repeat:
            raise ValueError(
                f"dmc.control_steps: {self.control_steps} is no multiple of action_repeat "
                f"({self.action_repeat})"
            )
        if len({self.instruction(task) for task in self.tasks}) < len(self.tasks):
            raise ValueError("dmc.instructions: two tasks are told the same")
        return self
