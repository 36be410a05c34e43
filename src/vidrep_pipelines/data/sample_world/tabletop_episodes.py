"""Episodes of the tabletop: one beginning under every instruction, filmed by all cameras, with the truth."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.seeds import generator_for, seed_for
from vidrep_pipelines.data.sample_world.episode import ArmEpisode, run_episode
from vidrep_pipelines.data.sample_world.geometry import ByteArray
from vidrep_pipelines.data.sample_world.instructions import Instruction, SplitName
from vidrep_pipelines.data.sample_world.pieces import AGENT
from vidrep_pipelines.data.sample_world.policy import Policy, ScriptedPolicy
from vidrep_pipelines.data.sample_world.renderer import RenderedFrame
from vidrep_pipelines.data.sample_world.scene import Scene
from vidrep_pipelines.data.sample_world.tabletop import (
    CameraName,
    Layout,
    TabletopConfig,
    TabletopSeeds,
    draw_layout,
)
from vidrep_pipelines.data.sample_world.tabletop_control import TabletopControl
from vidrep_pipelines.data.sample_world.tabletop_expert import TabletopTask
from vidrep_pipelines.data.sample_world.tabletop_stage import ARM_COLOR, tabletop_renderers


@dataclass(frozen=True)
class TabletopEpisode:
    """One episode of T frames, with all that is known about it.

    Attributes:
        seed: The table's; None where its parts were seeded one by one.
        instruction: What the arm was told; its ``text``, ``task`` and ``split``.
        frames: For each camera (T, H, W, 3) uint8, RGB.
        masks: For each camera (T, H, W) bool: where the named object is seen.
        actions: (T - 1, 4) float32 in -1..1: joint velocities and gripper, as a share of the largest, carried
            out between frames t and t + 1.
        states: (T, 4) float32: the joints in radians and the gripper's opening in 0..1 at frame t.
        positions: (T, N, 3) float32: x and y in the arm's units and angle of each object; the arm's base is
            at the smaller x, whichever side it is seen on.
        object_names: N names.
        target: Index of the named object.
        phases: (T,) int16: index into ``phase_names``.
        phase_names: Names in the order of the phases.
        success: Whether what was asked for is done in the end, by the exact state.
        frames_per_second: Rate of frames and actions.
    """

    seed: int | None
    instruction: Instruction
    frames: dict[CameraName, ByteArray]
    masks: dict[CameraName, NDArray[np.bool_]]
    actions: NDArray[np.float32]
    states: NDArray[np.float32]
    positions: NDArray[np.float32]
    object_names: tuple[str, ...]
    target: int
    phases: NDArray[np.int16]
    phase_names: tuple[str, ...]
    success: bool
    frames_per_second: int

    @property
    def text(self) -> str:
        """The instruction as a sentence."""
        return self.instruction.text

    @property
    def task(self) -> str:
        """Action and place, such as "push_left"."""
        return self.instruction.task


class Tabletop:
    """A layout that is filmed under any instruction; its first frame is the same to the byte under all.

    Equal arguments give equal episodes. What is painted is painted once.

    Args:
        config: Look, cameras, size and pace.
        seed: A number, from which independent seeds follow, or the seeds themselves.
    """

    def __init__(self, config: TabletopConfig, seed: int | TabletopSeeds) -> None:
        self.config = config
        self.seed = seed if isinstance(seed, int) else None
        self.seeds = TabletopSeeds.of(seed) if isinstance(seed, int) else seed
        self.layout: Layout = draw_layout(config, self.seeds.layout)
        self.instructions: list[Instruction] = self.layout.instructions()
        """All that can be asked for."""
        scene = self._scene(TabletopTask(self.layout, self.instructions[0]))
        self._renderers = tabletop_renderers(scene, config, self.seeds)

    def _scene(self, task: TabletopTask) -> Scene:
        layout = self.layout
        return Scene(self.seeds.scenery, task, layout.bodies, layout.start, layout.mirrored, ARM_COLOR)

    def task(self, instruction: Instruction) -> TabletopTask:
        """The instruction here: how it is done, and whether it was.

        Raises:
            InputError: An object that it names is not on the table.
        """
        task = TabletopTask(self.layout, instruction, self._aim(instruction))
        _ = task.target, task.box
        return task

    def _aim(self, instruction: Instruction) -> float:
        rng = generator_for(self.seeds.policy, "aim", instruction.text)
        return float(rng.normal(0, self.config.aim_spread)) if self.config.aim_spread > 0 else 0.0

    def run(self, instruction: Instruction, policy: Policy | None = None) -> ArmEpisode:
        """What happens, without pictures; ``policy`` is the expert if it is None.

        Raises:
            InputError: An object that it names is not on the table.
        """
        config = self.config
        expert = ScriptedPolicy(config.policy_noise, config.pace_spread)
        scene = self._scene(self.task(instruction))
        return run_episode(
            scene, policy or expert, config.frames, config.frames_per_second, self.seeds.policy
        )

    def control(self, instruction: Instruction) -> TabletopControl:
        """The table under the caller's actions, which are to do what the instruction says.

        Raises:
            InputError: An object that it names is not on the table.
        """
        task = self.task(instruction)
        return TabletopControl(task, self._scene(task), self._renderers, self.config.frames_per_second)

    def record(self, instruction: Instruction, policy: Policy | None = None) -> TabletopEpisode:
        """Lets the expert, or another policy, act on an instruction and films it.

        Raises:
            InputError: An object that it names is not on the table.
        """
        task = self.task(instruction)
        run = self.run(instruction, policy)
        films = {camera: list(self.film(camera, run)) for camera in self._renderers}
        own = AGENT + 1 + task.target
        return TabletopEpisode(
            seed=self.seed,
            instruction=instruction,
            frames={camera: np.stack([frame.pixels for frame in film]) for camera, film in films.items()},
            masks={
                camera: np.stack([frame.masks == own for frame in film]) for camera, film in films.items()
            },
            actions=run.actions[:-1],
            states=run.states,
            positions=np.stack([snapshot.places for snapshot in run.snapshots]).astype(np.float32),
            object_names=self.layout.names,
            target=task.target,
            phases=run.phases,
            phase_names=task.phases,
            success=task.succeeded(run.snapshots),
            frames_per_second=self.config.frames_per_second,
        )

    def film(
        self, camera: CameraName, run: ArmEpisode, moments: Collection[int] | None = None
    ) -> Iterator[RenderedFrame]:
        """Draws what happened, frame by frame, as one of the cameras of the configuration sees it.

        Args:
            camera: Which of them.
            run: What happened.
            moments: Draw only these frames, in their order in time. None: all.
        """
        before = run.snapshots[0]
        for index, now in enumerate(run.snapshots):
            if moments is None or index in moments:
                yield self._renderers[camera].render(now, before, index)
            before = now

    def counterfactuals(self) -> list[TabletopEpisode]:
        """The same beginning under each instruction: first frames are equal to the byte, ends differ."""
        return [self.record(instruction) for instruction in self.instructions]


def tabletop_episodes(
    config: TabletopConfig, seed: int, split: SplitName, tables: int
) -> Iterator[TabletopEpisode]:
    """One episode for each of so many tables: tasks drawn evenly, combinations of the split only.

    Tables of different splits differ, and more tables leave the first ones as they are. A table about which
    no sentence of the split can be said is left out, which happens to held-out ones only.
    """
    for number in range(tables):
        table = Tabletop(config, table_seed(seed, split, number))
        rng = generator_for(seed, "instruction", split, number)
        if instruction := draw_instruction(table.instructions, split, rng):
            yield table.record(instruction)


def table_seed(seed: int, part: str, number: int) -> int:
    """The seed of a table of a part of a data set."""
    return seed_for(seed, "table", part, number)


def draw_instruction(
    instructions: Sequence[Instruction], split: SplitName, rng: np.random.Generator
) -> Instruction | None:
    """Draws one of the split's instructions, all tasks equally often; None if there is none."""
    possible = [item for item in instructions if item.split == split]
    if not possible:
        return None
    task = rng.choice(sorted({item.task for item in possible}))
    sentences = [item for item in possible if item.task == task]
    return sentences[int(rng.integers(len(sentences)))]
