"""The sample world's tabletop as an environment, the starts of its episodes, and what a scripted arm does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from vidrep_pipelines.common.arrays import FloatArray, Pixels
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.data.sample_world.instructions import Instruction
from vidrep_pipelines.data.sample_world.tabletop import TabletopEpisodesConfig
from vidrep_pipelines.data.sample_world.tabletop_control import TabletopControl
from vidrep_pipelines.data.sample_world.tabletop_episodes import Tabletop
from vidrep_pipelines.data.sample_world.tabletop_source import list_tabletop, tabletop_of, tabletop_source
from vidrep_pipelines.evaluation.rollouts.protocol import EpisodeStart, Observation, PlanRequest
from vidrep_pipelines.evaluation.rollouts.replay import RecordedEpisode

JudgeName = Literal["told", "recorded"]
"""Success is of what the policy is told, or of what was recorded on this table, whatever it is told."""

PartName = Literal["validation", "test", "held_out"]


class TabletopEnvironment:
    """One table after another under a policy's actions.

    Args:
        config: How tables are drawn and filmed; an episode's name says which table it is of.
        judge: Whose success is looked for.
    """

    def __init__(self, config: TabletopEpisodesConfig, judge: JudgeName = "told") -> None:
        self._config, self._judge = config, judge
        self._control: TabletopControl | None = None

    @property
    def renderer(self) -> str:
        """See :class:`~.protocol.Environment`."""
        table = self._config.table
        return f"sample_world/{table.look}_{table.height}x{table.width}"

    def reset(self, start: EpisodeStart) -> None:
        """Begins an episode.

        Raises:
            InputError: Its name is that of no table, or it is told what cannot be done there.
        """
        table = tabletop_of(start.name, self._config)
        meant = Instruction.parse(start.instruction)
        if self._judge == "recorded":
            meant = recorded_instruction(start.name, self._config)
        self._control = table.control(meant)

    @property
    def _running(self) -> TabletopControl:
        if self._control is None:
            raise InputError("sample world: no episode has begun; call reset(start) first")
        return self._control

    def observe(self, *, pictures: bool) -> Observation:
        """Pictures by camera and the joints (4,)."""
        shown = self._running.pictures() if pictures else {}
        by_name: dict[str, Pixels] = dict(shown.items())
        return Observation(by_name, self._running.state.astype(np.float64))

    @property
    def exact_state(self) -> FloatArray:
        """Arm, named object, goal and the other objects, see ``TabletopControl.exact_state``."""
        return self._running.exact_state

    def step(self, action: FloatArray) -> float:
        """Executes (4,) joint velocities in -1..1; the reward is how near the object is to its goal, 0..1.

        Raises:
            InputError: The action is not four finite numbers.
        """
        return self._running.step(action)

    def succeeded(self) -> bool:
        """Whether it was done, by the exact state; see ``TabletopTask.succeeded``."""
        return self._running.succeeded()

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True)
class TabletopMaker:
    """Makes tabletops in worker processes: an :class:`~.protocol.EnvironmentMaker`.

    Attributes:
        config: How tables are drawn and filmed.
        judge: Whose success is looked for.
    """

    config: TabletopEpisodesConfig
    judge: JudgeName = "told"

    @property
    def renderer(self) -> str:
        """What makes the pictures."""
        return TabletopEnvironment(self.config).renderer

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that its behavior depends on."""
        return {
            "world": "tabletop",
            "table": self.config.table.model_dump(mode="json"),
            "seed": self.config.seed,
            "judge": self.judge,
        }

    def make(self) -> TabletopEnvironment:
        """A fresh one."""
        return TabletopEnvironment(self.config, self.judge)


def recorded_instruction(name: str, config: TabletopEpisodesConfig) -> Instruction:
    """What the arm was told when the episode of that name was recorded.

    Raises:
        InputError: There is no such episode.
    """
    told = tabletop_source(name, config).instruction
    if told is None:
        raise InputError(f"{name!r} is no episode of the tabletop with these parameters.")
    return told


def tabletop_starts(config: TabletopEpisodesConfig, part: PartName, episodes: int) -> list[EpisodeStart]:
    """What the first episodes of a part begin with: its tables and the instructions of their recordings.

    Raises:
        ConfigurationError: The part has fewer.
    """
    sources = [source for source in list_tabletop(config) if source.part == part][:episodes]
    if len(sources) < episodes:
        raise ConfigurationError(
            f"{episodes} episodes of the part {part} are asked for, and there are {len(sources)}. Remedy: "
            f"lower the number, or raise robot_episodes.tabletop.{part}_tables."
        )
    told = [(source.trajectory, recorded_instruction(source.trajectory, config)) for source in sources]
    return [EpisodeStart(name, order.task, order.text) for name, order in told]


def swapped_starts(
    starts: Sequence[EpisodeStart], config: TabletopEpisodesConfig, seed: int = 0
) -> list[EpisodeStart]:
    """The same tables with an instruction about another object, drawn for each."""
    swapped = []
    for start in starts:
        meant = recorded_instruction(start.name, config)
        others = [order for order in tabletop_of(start.name, config).instructions if order.name != meant.name]
        chosen = others[int(generator_for(seed, "swapped", start.name).integers(len(others)))]
        swapped.append(EpisodeStart(start.name, start.task, chosen.text, start.seed))
    return swapped


def scripted_episodes(
    starts: Sequence[EpisodeStart], config: TabletopEpisodesConfig
) -> list[RecordedEpisode]:
    """What the scripted arm does from these starts, for an oracle replay."""
    return [RecordedEpisode(start, _scripted_actions(start, config)) for start in starts]


def _scripted_actions(start: EpisodeStart, config: TabletopEpisodesConfig) -> FloatArray:
    table: Tabletop = tabletop_of(start.name, config)
    return table.run(Instruction.parse(start.instruction)).actions[:-1].astype(np.float64)


class ScriptedArm:
    """What the scripted arm does, as a policy: the ceiling, and the oracle replay of every episode.

    Args:
        config: How tables are drawn.
    """

    chunk_length = 1

    def __init__(self, config: TabletopEpisodesConfig) -> None:
        self._config = config
        self._known: dict[tuple[str, str], FloatArray] = {}

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        """(B, 1, 4): the scripted action of each request's step, and the last one after the end."""
        return np.stack([self._actions(request)[[request.step]] for request in requests])

    def _actions(self, request: PlanRequest) -> FloatArray:
        key = request.episode, request.instruction
        if key not in self._known:
            start = EpisodeStart(request.episode, "", request.instruction)
            self._known[key] = _scripted_actions(start, self._config)
        actions = self._known[key]
        still = np.zeros((max(request.step + 1 - len(actions), 0), actions.shape[1]))
        return np.concatenate([actions, still])


@dataclass(frozen=True)
class ScriptedArmMaker:
    """Makes a :class:`ScriptedArm`.

    Attributes:
        config: How tables are drawn.
    """

    config: TabletopEpisodesConfig

    @property
    def identity(self) -> Mapping[str, Any]:
        """What it does."""
        return {"policy": "scripted", "table": self.config.table.model_dump(mode="json")}

    def make(self) -> ScriptedArm:
        """The policy."""
        return ScriptedArm(self.config)
