"""Parameters of MetaWorld's episodes and pictures."""

import difflib
from collections.abc import Mapping
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.data.sources.metaworld.instructions import METAWORLD_INSTRUCTIONS

MetaworldCamera = Literal["topview", "corner", "corner2", "corner3", "corner4", "behindGripper", "gripperPOV"]
"""Cameras of all its scenes. Their places in this list are their numbers in the store."""

CAMERA_ORDER: tuple[MetaworldCamera, ...] = get_args(MetaworldCamera)

MOST_METAWORLD_STEPS = 500
"""Control steps after which MetaWorld takes no more actions."""


class MetaworldPicturesConfig(FrozenConfig):
    """How its scenes are filmed."""

    cameras: tuple[MetaworldCamera, ...] = Field(("corner2",), min_length=1)
    """Which cameras. Those of the corners stand on their heads, as MetaWorld has them."""
    width: int = Field(128, ge=16, le=2048)
    """Pixels."""
    height: int = Field(128, ge=16, le=2048)
    """Pixels."""
    quality: Literal["fast", "published"] = "fast"
    """``fast``: without shadows, reflections and multisampling, ten times faster in software. ``published``:
    with them. Numbers of one are not those of the other: it is part of the renderer's name in results."""
    field_of_view: float | None = Field(None, gt=1, lt=170)
    """Degrees from bottom to top of every camera; fewer show less, larger. None: MetaWorld's own."""

    @property
    def renderer(self) -> str:
        """What results call it, such as ``metaworld/fast_128x128``."""
        return f"metaworld/{self.quality}_{self.height}x{self.width}"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.cameras)) < len(self.cameras):
            raise ValueError(f"metaworld: a camera is listed twice in {list(self.cameras)}")
        return self


class MetaworldEpisodesConfig(FrozenConfig):
    """Episodes of MetaWorld's scripted experts (extra ``robots``); no two of them begin alike."""

    tasks: tuple[str, ...] = Field(("reach-v3", "button-press-v3"), min_length=1)
    """Names of the tasks."""
    pictures: MetaworldPicturesConfig = MetaworldPicturesConfig()
    """How they are filmed."""
    train_layouts: int = Field(25, ge=1)
    """Layouts of each task to learn from. More of them leave the first ones as they are."""
    validation_layouts: int = Field(5, ge=0)
    """Other layouts of each task, to choose by."""
    test_layouts: int = Field(25, ge=0)
    """Further layouts of each task: rollouts begin there."""
    most_steps: int = Field(300, ge=1, le=MOST_METAWORLD_STEPS)
    """Control steps, 80 a second, after which the expert has failed. Its episode is then left out."""
    noise: float = Field(0.0, ge=0)
    """Standard deviation of what is added to the expert's actions, which are in -1..1; what was executed is
    recorded. Some of it shows a policy how mistakes are mended."""
    instructions: Mapping[str, str] = Field({})
    """Other words for a task than those of ``instructions.py``; words for a task that is not in it."""
    seed: int = 0
    """Everything that is drawn follows from it."""

    def instruction(self, task: str) -> str:
        """What is said for a task."""
        return self.instructions.get(task) or METAWORLD_INSTRUCTIONS[task]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"metaworld: a task is listed twice in {list(self.tasks)}")
        for task in self.tasks:
            if task not in METAWORLD_INSTRUCTIONS and not self.instructions.get(task, "").strip():
                close = difflib.get_close_matches(task, METAWORLD_INSTRUCTIONS, n=3, cutoff=0.3)
                near = f"; close: {', '.join(close)}" if close else ""
                raise ValueError(
                    f"metaworld: no words are known for the task {task!r}{near}. "
                    "Correct its name, or give metaworld.instructions the words"
                )
        if len({self.instruction(task) for task in self.tasks}) < len(self.tasks):
            raise ValueError("metaworld.instructions: two tasks are told the same")
        return self
