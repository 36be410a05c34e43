"""The worlds that a user can choose, and the recordings that must succeed in each."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from vidrep_pipelines.common.config import FrozenConfig, UserPath
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.calvin.episodes import CalvinEpisode
from vidrep_pipelines.data.sources.calvin.listing import list_calvin_episodes
from vidrep_pipelines.evaluation.calvin.miniature import MiniatureConfig, MiniatureMaker
from vidrep_pipelines.evaluation.calvin.recordings import (
    CalvinRecordings,
    expert_recordings,
    recordings_from_files,
)
from vidrep_pipelines.evaluation.calvin.simulator import SimulatorConfig, SimulatorMaker
from vidrep_pipelines.evaluation.calvin.world import CalvinWorldMaker, tasks_from_initial_states


class CalvinWorldConfig(FrozenConfig):
    """Where policies act."""

    kind: Literal["simulator", "miniature"] = "simulator"
    """``simulator``: the benchmark's own, which the user installs (docs/calvin.md). ``miniature``: a small
    world that needs nothing, whose numbers are not CALVIN's."""

    simulator: SimulatorConfig = SimulatorConfig()
    """Scene and renderer of the simulator."""

    miniature: MiniatureConfig = MiniatureConfig()
    """Size of the miniature's pictures."""

    recordings: UserPath | None = None
    """Folder of CALVIN's data set, such as ``task_ABC_D``, whose episodes ``check_calvin`` replays in the
    simulator. None: nothing is replayed there. The miniature replays what its expert does."""

    replays: int = Field(10, ge=1)
    """Episodes of the data set that are replayed, spread over its validation split, or over all it has."""

    least_replayed: float = Field(1.0, ge=0, le=1)
    """Share of the replays that must do their task. Below 1 for a simulator that does not repeat exactly."""


def world_maker(config: CalvinWorldConfig) -> CalvinWorldMaker:
    """What makes the chosen world; nothing is built yet."""
    if config.kind == "miniature":
        return MiniatureMaker(config.miniature)
    return SimulatorMaker(config.simulator)


def replayed_recordings(config: CalvinWorldConfig) -> CalvinRecordings | None:
    """What must succeed in the chosen world before a policy is scored; None where nothing is named.

    Raises:
        InputError: The folder holds no annotated episode of CALVIN, or a file of one is damaged.
        ConfigurationError: CALVIN has no such task.
    """
    if config.kind == "miniature":
        return expert_recordings(tasks_from_initial_states())
    if config.recordings is None:
        return None
    return recordings_from_files(_spread_episodes(config.recordings, config.replays))


def _spread_episodes(folder: Path, count: int) -> list[CalvinEpisode]:
    """Of the validation split, which is in the scene that is evaluated, where the folder has it."""
    episodes = [episode for episode in list_calvin_episodes(folder) if not episode.problem]
    if not episodes:
        raise InputError(
            f"{folder} has no usable instruction. Remedy: name CALVIN's task_ABC_D, or set "
            "calvin.world.recordings to null."
        )
    held_out = [episode for episode in episodes if episode.split == "validation"] or episodes
    places = np.linspace(0, len(held_out) - 1, min(count, len(held_out))).round().astype(int)
    return [held_out[place] for place in np.unique(places)]
