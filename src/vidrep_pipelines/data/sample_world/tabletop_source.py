"""The tabletop as a data set of instructed clips: one episode for each of many tables, and the way back.

A trajectory's name says which table it is of, so that whoever evaluates a prediction can build that table
again and see what would have happened under every other instruction.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, islice, tee
from typing import Literal, get_args

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.seeds import generator_for
from vidrep_pipelines.data.frame_store.episode import Episode, EpisodeAnnotations, EpisodeView, Segment
from vidrep_pipelines.data.sample_world.agent_episodes import phase_segments
from vidrep_pipelines.data.sample_world.episode import ArmEpisode
from vidrep_pipelines.data.sample_world.instructions import Instruction, SplitName
from vidrep_pipelines.data.sample_world.tabletop import (
    CameraName,
    TabletopConfig,
    TabletopEpisodesConfig,
    TabletopSeeds,
    draw_layout,
)
from vidrep_pipelines.data.sample_world.tabletop_episodes import Tabletop, draw_instruction, table_seed

TABLETOP = "tabletop"
"""Name of the data set."""

TABLETOP_HELD_OUT = "tabletop_held_out"
"""Name of the episodes whose combinations of object, action and place are in no other part."""

TABLETOP_BESIDE = "tabletop_beside"
"""Name of the episodes in which the expert first aims beside and then makes it good."""

CAMERA_NUMBERS: dict[CameraName, int] = {camera: number for number, camera in enumerate(get_args(CameraName))}
"""Under which number a camera's view is stored."""

PartName = Literal["train", "validation", "test", "held_out", "beside"]

_DATA_SETS: dict[PartName, str] = {"held_out": TABLETOP_HELD_OUT, "beside": TABLETOP_BESIDE}
_SPLITS: dict[PartName, str] = {"held_out": "test", "beside": "train"}

_COLLECTION = 1
"""Version of what equal parameters lead to: raised when the episodes change."""

_TRAJECTORY = re.compile(r"tabletop/(?P<part>train|validation|test|held_out|beside)/(?P<number>\d{5,})")


@dataclass(frozen=True)
class TabletopSource:
    """One table and one instruction, drawn and filmed when it is opened.

    Attributes:
        config: Look, cameras and pace.
        seed: That of the data set.
        part: Which part of the data set it is in.
        number: Which table of the part, from 0.
    """

    config: TabletopConfig
    seed: int
    part: PartName
    number: int

    @property
    def trajectory(self) -> str:
        """Its name, from which :func:`tabletop_of` finds the table."""
        return f"{TABLETOP}/{self.part}/{self.number:05d}"

    @property
    def split(self) -> str:
        """Combinations that are held out are tested on; mistakes that are made good are learned from."""
        return _SPLITS.get(self.part, self.part)

    @property
    def data_set(self) -> str:
        """Under which name it is reported."""
        return _DATA_SETS.get(self.part, TABLETOP)

    @property
    def digest(self) -> str:
        """Changes with all that the episode depends on, and not with how many there are."""
        # Tables of an expert that aims exactly are older than the parameter.
        table = self.config.model_dump(exclude=None if self.config.aim_spread else {"aim_spread"})
        return digest_of(_COLLECTION, table, self.seed, self.part, self.number)

    @property
    def instruction(self) -> Instruction | None:
        """What the arm is told; None if nothing of the part can be said about the table."""
        seeds = TabletopSeeds.of(table_seed(self.seed, self.part, self.number))
        combinations: SplitName = "held_out" if self.part == "held_out" else "train"
        rng = generator_for(self.seed, "instruction", self.part, self.number)
        return draw_instruction(draw_layout(self.config, seeds.layout).instructions(), combinations, rng)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        """Lets the arm act; frames are drawn while the pictures are taken.

        Raises:
            InputError: Nothing of the part can be said about the table.
        """
        instruction = self.instruction
        if instruction is None:
            raise InputError(f"{self.trajectory}: the table has no combination of the part {self.part}.")
        table = Tabletop(self.config, table_seed(self.seed, self.part, self.number))
        run = table.run(instruction)
        yield Episode(
            robot=self.data_set,
            views=[_view(table, camera, run) for camera in self.config.cameras],
            states=run.states,
            actions=run.actions[:-1],
            annotations=_annotations(table, instruction, run),
        )


def _view(table: Tabletop, camera: CameraName, run: ArmEpisode) -> EpisodeView:
    drawn, labelled = tee(table.film(camera, run))
    return EpisodeView(
        CAMERA_NUMBERS[camera],
        table.config.frames,
        pictures=(frame.pixels for frame in drawn),
        masks=(frame.masks for frame in labelled),
    )


def _annotations(table: Tabletop, instruction: Instruction, run: ArmEpisode) -> EpisodeAnnotations:
    task = table.task(instruction)
    return EpisodeAnnotations(
        segments=(Segment(0, table.config.frames, instruction.text, instruction.task),),
        phases=phase_segments(run.phases, task.phases),
        frames_per_second=table.config.frames_per_second,
        success=task.succeeded(run.snapshots),
        mask_names=("background", "arm", *table.layout.names),
    )


def list_tabletop(config: TabletopEpisodesConfig) -> list[TabletopSource]:
    """The episodes of all parts, in their order."""
    tables: dict[PartName, int] = {
        "train": config.train_tables,
        "validation": config.validation_tables,
        "test": config.test_tables,
        "held_out": config.held_out_tables,
        "beside": config.beside_tables,
    }
    return [source for part, number in tables.items() for source in islice(_possible(config, part), number)]


def _possible(config: TabletopEpisodesConfig, part: PartName) -> Iterator[TabletopSource]:
    """Tables of a part without end. About some nothing held out can be said; to learn from, always."""
    for number in count():
        source = _source(config, part, number)
        if part != "held_out" or source.instruction is not None:
            yield source


def tabletop_of(trajectory: str, config: TabletopEpisodesConfig) -> Tabletop:
    """Builds the table of an episode again: all its instructions begin with the episode's first frame.

    Args:
        trajectory: Name of the episode, such as ``tabletop/test/00012``.
        config: What the data set was made with.

    Raises:
        InputError: It is no episode of the tabletop.
    """
    source = tabletop_source(trajectory, config)
    return Tabletop(source.config, table_seed(source.seed, source.part, source.number))


def tabletop_source(trajectory: str, config: TabletopEpisodesConfig) -> TabletopSource:
    """The episode of that name.

    Args:
        trajectory: Name of the episode, such as ``tabletop/test/00012``.
        config: What the data set was made with.

    Raises:
        InputError: It is no episode of the tabletop.
    """
    found = _TRAJECTORY.fullmatch(trajectory)
    if found is None:
        raise InputError(f"{trajectory!r} is no episode of the tabletop, such as 'tabletop/test/00012'.")
    part: PartName = found["part"]  # type: ignore[assignment]
    return _source(config, part, int(found["number"]))


def _source(config: TabletopEpisodesConfig, part: PartName, number: int) -> TabletopSource:
    table = config.table
    if part == "beside":
        table = table.model_copy(update={"aim_spread": config.beside_spread})
    return TabletopSource(table, config.seed, part, number)
