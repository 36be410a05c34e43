"""Cloned behavior tried out: which head, after how much training, in which layouts."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from vidrep_pipelines.adapters.encoders import EncoderSource
from vidrep_pipelines.adapters.robot_inputs import RobotInput, looking, robot_inputs
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.sample_world.tabletop import TabletopEpisodesConfig
from vidrep_pipelines.data.sources.dm_control.demonstration_config import DmcEpisodesConfig
from vidrep_pipelines.data.sources.metaworld.config import MetaworldEpisodesConfig
from vidrep_pipelines.evaluation.label_propagation.frame_features import device_of_sequence
from vidrep_pipelines.evaluation.label_propagation.settings import DeviceName
from vidrep_pipelines.evaluation.robot_cloning.blind_environment import BlindMaker
from vidrep_pipelines.evaluation.robot_cloning.cloned_policy import ClonedPolicy, HeadInput
from vidrep_pipelines.evaluation.robot_cloning.config import RobotEvaluationConfig, RobotFeatureConfig
from vidrep_pipelines.evaluation.robot_cloning.demonstrations import (
    Demonstration,
    choose_demonstrations,
    telling_words,
)
from vidrep_pipelines.evaluation.robot_cloning.head_training import (
    CLONED_SUFFIX,
    CloningItem,
    DemonstrationStore,
    head_names,
    load_cloned,
)
from vidrep_pipelines.evaluation.robot_cloning.robot_report import EXPERT, attempt_name
from vidrep_pipelines.evaluation.robot_cloning.robot_worlds import (
    HeldOutPart,
    RobotWorld,
    camera_of,
    robot_world,
)
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.evaluation.rollouts.protocol import EnvironmentMaker, PolicyMaker
from vidrep_pipelines.evaluation.rollouts.replay import RecordedEpisode, require_replay
from vidrep_pipelines.evaluation.rollouts.rollout_job import RolloutCondition, rollout_job
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.devices import gpus_to_use, limited_to_gpus
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.parts import Parts

_REPLAYED = 2
_SECONDS_OF_AN_EPISODE = 240.0
"""At least so long may a block take: 500 steps of a ViT-S/16 at 224 pixels are a minute on one core."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClonedPolicyMaker:
    """Makes a cloned policy in worker processes: a ``PolicyMaker``.

    Attributes:
        head: File of the head.
        version: Digest of all that the head was made from.
        after: After how much training it acts.
        seen: What it sees.
        given: What it is given beside that.
        features: What is taken of an encoder.
        camera: Which camera is looked through.
        device: Where it acts.
        number: Of the head; it deals heads to GPUs.
    """

    head: Path
    version: str
    after: int
    seen: RobotInput
    given: HeadInput
    features: RobotFeatureConfig
    camera: str
    device: DeviceName
    number: int = 0

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that its actions depend on; the head's digest holds features and demonstrations."""
        return {"policy": "cloned", "head": self.version, "after": self.after, "camera": self.camera}

    def make(self) -> ClonedPolicy:
        """The policy.

        Raises:
            InputError: The head or the encoder's weights cannot be read.
        """
        device = device_of_sequence(self.device, self.number)
        look = looking(self.seen, self.features, self.camera, device)
        return ClonedPolicy(load_cloned(self.head, self.after, device), look, self.given, device)


@dataclass(frozen=True)
class RobotEvaluation:
    """All that an evaluation is made of: what is learned from, what heads see, where they act.

    Attributes:
        config: Of the evaluation.
        world: Where heads act.
        inputs: What heads see.
        demonstrations: By task.
        store: Where demonstrations are.
    """

    config: RobotEvaluationConfig
    world: RobotWorld
    inputs: tuple[RobotInput, ...]
    demonstrations: Mapping[str, Sequence[Demonstration]]
    store: DemonstrationStore

    @classmethod
    def of(
        cls,
        frames: FrameStore,
        encoders: Sequence[Mapping[str, Any]],
        config: RobotEvaluationConfig,
        tabletop: TabletopEpisodesConfig,
        metaworld: MetaworldEpisodesConfig | None,
        dmc: DmcEpisodesConfig | None = None,
    ) -> Self:
        """The same of what the catalog has.

        Args:
            frames: The store of demonstrations.
            encoders: As plain data.
            config: Of the evaluation.
            tabletop: How tables were drawn and filmed.
            metaworld: MetaWorld's tasks and layouts. None: there are none.
            dmc: Those of DM Control. None: there are none.

        Raises:
            ConfigurationError: There is no such world, camera or task, a name is taken, or episodes would be
                cut off where whole ones are scored.
        """
        world = robot_world(config.world, tabletop, metaworld, dmc)
        if world.whole_episodes and config.most_steps not in (None, world.most_steps):
            raise ConfigurationError(
                f"eval_robot.most_steps is {config.most_steps}, and episodes of {world.data_set} are "
                f"{world.most_steps} actions long, all of which are scored. Remedy: leave it null."
            )
        camera = world.cameras[camera_of(world, config.camera)]
        sources = [EncoderSource.model_validate(encoder) for encoder in encoders]
        return cls(
            config=config,
            world=world,
            inputs=tuple(robot_inputs(sources, config)),
            demonstrations=choose_demonstrations(
                frames,
                world.data_set,
                camera,
                config.demonstrations,
                config.tasks,
                config.demonstrations_of,
            ),
            store=DemonstrationStore(frames.folder.absolute(), frames.facts.content_digest),
        )

    @property
    def names(self) -> list[str]:
        """Of all that is measured, in the order of reports."""
        ends = [EXPERT] if EXPERT in self.config.ceilings else []
        return [*(seen.name for seen in self.inputs), *ends]

    @property
    def floors(self) -> list[str]:
        """Names of inputs that need no training of an encoder."""
        return [
            seen.name
            for seen in self.inputs
            if seen.kind == "proprioception"
            or (seen.encoder is not None and seen.encoder.config.kind in ("random", "pixels"))
        ]

    @property
    def rollout(self) -> RolloutConfig:
        """A head is asked at every step."""
        return RolloutConfig(execute_steps=1, most_steps=self.config.most_steps or self.world.most_steps)

    def heads(self, features: Parts) -> dict[str, CloningItem]:
        """What is trained, by ``<input>/<task>/<seed>``: heads of the inputs that have all features.

        Raises:
            InputError: No input has.
        """
        able = [seen for seen in self.inputs if self._has_features(seen, features)]
        for seen in (seen for seen in self.inputs if seen not in able):
            _log.warning("%s is left out: it has no features of some demonstrations.", seen.name)
        if not able:
            reasons = "; ".join(features.failed["error"].dropna().unique()[:3])
            raise InputError(f"No input of eval_robot has features of all demonstrations: {reasons}")
        named = {seen.name: seen for seen in able}
        found = {}
        for number, name in enumerate(head_names(list(named), list(self.demonstrations), self.config.seeds)):
            one, task, seed = name.rsplit("/", 2)
            found[name] = CloningItem(
                store=self.store,
                features=features.folder.absolute() / one if named[one].extracted else None,
                demonstrations=tuple(self.demonstrations[task]),
                given=self.given(named[one], task),
                config=self.config.head,
                seed=int(seed),
                device=self.config.device,
                number=number,
            )
        return found

    def feature_digests(self, heads: Mapping[str, CloningItem], features: Parts) -> dict[str, str]:
        """Digest of what each head sees."""
        known = features.digests
        return {
            name: digest_of(
                [known.get(f"{name.rsplit('/', 2)[0]}/{one.view}") for one in item.demonstrations]
            )
            for name, item in heads.items()
        }

    def given(self, seen: RobotInput, task: str) -> HeadInput:
        """What a head is given beside features; the exact state has in it what the robot feels."""
        feels = seen.kind == "proprioception" or (seen.kind == "encoder" and self.config.proprioception)
        words = telling_words(self.demonstrations[task])
        return HeadInput(self.config.head.history, feels, words)

    def _has_features(self, seen: RobotInput, features: Parts) -> bool:
        there = set(features.ids)
        shown = [one.view for episodes in self.demonstrations.values() for one in episodes]
        return not seen.extracted or all(f"{seen.name}/{view}" in there for view in shown)

    def conditions(self, heads: Parts, attempts: pd.DataFrame, part: str) -> list[RolloutCondition]:
        """One per head and time at which it was kept.

        Args:
            heads: What was trained.
            attempts: Columns ``encoder``, ``task``, ``seed`` and ``after``.
            part: In which layouts.

        Raises:
            ConfigurationError: There are too few layouts.
        """
        named = {seen.name: seen for seen in self.inputs}
        columns = attempts[["encoder", "task", "seed", "after"]].itertuples(index=False)
        found = []
        for number, (name, task, seed, after) in enumerate(columns):
            head = f"{name}/{task}/{seed}"
            policy = ClonedPolicyMaker(
                head=heads.path(head, CLONED_SUFFIX).absolute(),
                version=heads.digests[head],
                after=int(after),
                seen=named[name],
                given=self.given(named[name], task),
                features=self.config.features,
                camera=camera_of(self.world, self.config.camera),
                device=self.config.device,
                number=number,
            )
            found.append(self._condition(attempt_name(name, task, seed, after), task, policy, part))
        return found

    def _condition(self, name: str, task: str, policy: ClonedPolicyMaker, part: str) -> RolloutCondition:
        maker: EnvironmentMaker = self.world.maker
        if policy.seen.encoder is None:
            maker = BlindMaker(self.world.maker, exact=policy.seen.kind == "state")
        held_out: HeldOutPart = "test" if part == "test" else "validation"
        starts = self.world.starts(held_out, task, self._episodes(part))
        return RolloutCondition(name, maker, policy, starts, self.rollout)

    def _episodes(self, part: str) -> int:
        return self.config.episodes if part == self.config.part else self.config.selection_episodes

    def expert_conditions(self) -> list[RolloutCondition]:
        """Who made the demonstrations, in the layouts that are measured on, if that is asked for.

        Raises:
            ConfigurationError: There are too few layouts.
        """
        if EXPERT not in self.config.ceilings:
            return []
        expert: PolicyMaker = self.world.expert
        return [
            RolloutCondition(
                attempt_name(EXPERT, task, 0, 0),
                BlindMaker(self.world.maker),
                expert,
                self.world.starts(self.config.part, task, self.config.episodes),
                self.rollout,
            )
            for task in self.demonstrations
        ]

    def rollouts(self, conditions: Sequence[RolloutCondition], fanout: FanOutConfig) -> Job:
        """Blocks of their episodes as items of work."""
        fanout = limited_to_gpus(fanout, gpus_to_use(self.config.device), self.config.workers_per_gpu)
        longest = max(fanout.deadline_seconds, _SECONDS_OF_AN_EPISODE * self.config.block)
        fanout = fanout.model_copy(update={"deadline_seconds": longest})
        return rollout_job(conditions, self.config.block, self.config.environments, fanout.trying_again())

    def require_oracle(self, frames: FrameStore) -> None:
        """Replays a few demonstrations of each task: they must do it again before a head is scored.

        Raises:
            ConfigurationError: They do not.
        """
        shown = [one for episodes in self.demonstrations.values() for one in episodes[:_REPLAYED]]
        recorded = [
            RecordedEpisode(self.world.start_of(one), frames.actions(one.view).astype(np.float64))
            for one in shown
        ]
        require_replay(self.world.maker.make, recorded)

    @property
    def described(self) -> dict[str, Any]:
        """Where, on what and how is measured, as plain data."""
        return {
            "data_set": self.world.data_set,
            "renderer": self.world.maker.renderer,
            "camera": camera_of(self.world, self.config.camera),
            "most_steps": self.rollout.most_steps,
            "demonstrations": {task: len(episodes) for task, episodes in self.demonstrations.items()},
            "kept": list(self.config.head.kept),
            "evaluation": self.config.model_dump(mode="json"),
        }


def require_heads(heads: Parts) -> list[str]:
    """Names of the heads that were trained.

    Raises:
        InputError: One could not be.
    """
    for name, error in heads.failed[["id", "error"]].itertuples(index=False):
        raise InputError(f"The head {name} could not be trained: {error} Remedy: mend it and run again.")
    return heads.ids
