"""Acting on the values of an occupancy model in the sample world, beside what acts without them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from vidrep_pipelines.adapters.occupancy import load_model, split_of
from vidrep_pipelines.adapters.occupancy_acting_config import (
    ActingConditionName,
    ActorName,
    OccupancyActingConfig,
    OccupancyActingSpec,
)
from vidrep_pipelines.adapters.occupancy_actors import (
    ActionLibrary,
    CloningActor,
    Judge,
    RetrievingActor,
    TokenEyes,
    chance_judge,
    return_judge,
    value_judge,
)
from vidrep_pipelines.common.digest import digest_of, digest_of_file
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.data.sample_world.world import ACTION_NAMES
from vidrep_pipelines.data.token_episodes.file import read_token_episodes
from vidrep_pipelines.evaluation.bootstrap import confidence_interval, mean_over_members
from vidrep_pipelines.evaluation.occupancy.cloning import ActionCloner, clone_actions
from vidrep_pipelines.evaluation.rollouts.agent_world import (
    AgentWorldMaker,
    ScriptedAgentMaker,
    WanderingMaker,
    agent_starts,
)
from vidrep_pipelines.evaluation.rollouts.floors import StillMaker
from vidrep_pipelines.evaluation.rollouts.protocol import ChunkPolicy, PolicyMaker
from vidrep_pipelines.evaluation.rollouts.rollout_job import RolloutCondition
from vidrep_pipelines.evaluation.rollouts.tables import compare_runs, success_cell
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.shared.trained import loaded_once
from vidrep_pipelines.models.voc.config import VocModelConfig
from vidrep_pipelines.models.voc.inference import OccupancyPredictor
from vidrep_pipelines.models.voc.tokenizers.inference import checkpoint_source
from vidrep_pipelines.training.config import LaunchConfig

ACTS_ON_VALUES: ActingConditionName = "occupancy"
"""The condition that all others are compared with."""

_ACTING = 1
"""Version of what equal models, episodes and parameters lead to: raised when actions change."""


@dataclass(frozen=True)
class OccupancyActorMaker:
    """Makes a policy in worker processes, where it is kept.

    Attributes:
        name: Which.
        spec: All that it needs.
    """

    name: ActorName
    spec: OccupancyActingSpec

    @property
    def identity(self) -> Mapping[str, Any]:
        """Digests of weights and episodes, and how actions are chosen."""
        spec, config = self.spec, self.spec.config
        shared: dict[str, Any] = {
            "version": _ACTING,
            "policy": self.name,
            "tokenizer": Checkpoint.of(spec.tokenizer).digest,
            "tokens": digest_of_file(spec.tokens),
            "split": config.training_split,
            "frame_stack": _model_config(spec).frame_stack,
        }
        if self.name in ("cloned", "cloned_best"):
            cloning = config.cloning.model_dump(mode="json")
            return {**shared, "cloning": cloning, "validation": config.validation_split}
        shared = {**shared, "candidates": config.candidates, "gamma": spec.gamma}
        if self.name != ACTS_ON_VALUES:
            return shared
        return {**shared, "model": Checkpoint.of(spec.model).digest, "samples": config.samples}

    def make(self) -> ChunkPolicy:
        """The policy.

        Raises:
            InputError: A file cannot be read, or model and tokens do not belong together.
        """
        return loaded_once(_load_actor, self, digest_of(dict(self.identity)), self.spec.device)


def require_actions(checkpoint: Checkpoint) -> None:
    """Checks that an occupancy model can say what an action is worth.

    Raises:
        ConfigurationError: It is not conditioned on actions.
    """
    if VocModelConfig.model_validate(checkpoint.config).gpt.action_dimension is None:
        raise ConfigurationError(
            f"The occupancy model in {checkpoint.directory} knows no actions, so that it cannot choose any. "
            "Remedy: train it with model.gpt.action_dimension, as pretrain_voc_acting does."
        )


def _model_config(spec: OccupancyActingSpec) -> VocModelConfig:
    return VocModelConfig.model_validate(Checkpoint.of(spec.model).config)


def _load_actor(maker: OccupancyActorMaker, device: str) -> ChunkPolicy:
    spec, config = maker.spec, maker.spec.config
    tokens, frame_stack = read_token_episodes(spec.tokens), _model_config(spec).frame_stack
    found = Checkpoint.of(spec.tokenizer)
    eyes = TokenEyes(checkpoint_source(found.config, found.weights).load(device), frame_stack)
    length = config.rollout.execute_steps
    training = split_of(tokens, config.training_split, "occupancy_acting.training_split")
    library = ActionLibrary(training, frame_stack, length, spec.gamma)
    if maker.name in ("cloned", "cloned_best"):
        held_out = split_of(tokens, config.validation_split, "occupancy_acting.validation_split")
        known = ActionLibrary(held_out, frame_stack, length, spec.gamma)
        share = config.cloning.best_share if maker.name == "cloned_best" else 1.0
        cloner = _cloned(library, known, share, tokens.vocabulary, config)
        return CloningActor(eyes, cloner, length)
    judge: Judge = return_judge(library) if maker.name == "returns" else chance_judge
    if maker.name == ACTS_ON_VALUES:
        model = load_model(Checkpoint.of(spec.model), tokens, LaunchConfig(device=device))
        judge = value_judge(OccupancyPredictor(model), library, config.samples)
    return RetrievingActor(eyes, library, config.candidates, judge)


def _cloned(
    library: ActionLibrary,
    held_out: ActionLibrary,
    share: float,
    vocabulary: int,
    config: OccupancyActingConfig,
) -> ActionCloner:
    """Cloning from the share of the episodes that returned the most."""
    best, known = (part.total >= np.quantile(part.total, 1 - share) for part in (library, held_out))
    return clone_actions(
        library.states[best],
        library.actions[best].reshape(int(best.sum()), -1),
        (held_out.states[known], held_out.actions[known].reshape(int(known.sum()), -1)),
        vocabulary,
        config.cloning,
        seed_for("cloning", config.rollout.seed),
    )


def acting_conditions(spec: OccupancyActingSpec) -> list[RolloutCondition]:
    """What is compared, all in the same episodes."""
    config = spec.config
    world = AgentWorldMaker(spec.agents, spec.frames, config.scramble, config.success)
    starts = tuple(agent_starts(spec.agents, config.part, config.episodes, config.rollout.seed))
    steps = config.rollout.most_steps
    at_once = config.rollout.model_copy(update={"execute_steps": steps})  # without a look at pictures
    conditions = []
    for name in config.conditions:
        policy: PolicyMaker
        if name == "random":
            policy = WanderingMaker(steps)
        elif name == "still":
            policy = StillMaker((0.0,) * len(ACTION_NAMES), steps)
        elif name == "scripted":
            policy = ScriptedAgentMaker(world, starts, steps)
        else:
            actor = OccupancyActorMaker(name, spec)
            conditions.append(RolloutCondition(name, world, actor, starts, config.rollout))
            continue
        conditions.append(RolloutCondition(name, world, policy, starts, at_once))
    return conditions


def acting_tables(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What each condition reached, and by how much acting on values is better, episode by episode.

    Args:
        rows: One per episode and condition: ``condition``, ``episode``, ``task``, ``success``, ``reward``
            (what was made of the activity), ``steps``, ``renderer``.

    Returns:
        Per condition: condition, episodes, successes, success, low, high (Wilson), steps; progress,
        progress_low, progress_high (bootstrap over episodes). And, per other condition: than, first (its
        share of success), second, difference, low, high, only_first, only_second, progress,
        progress_low, progress_high: the differences, in pairs.
    """
    reached, leads = [], []
    own = rows[rows["condition"] == ACTS_ON_VALUES]
    for name, others in rows.groupby("condition", sort=False):
        reached.append({"condition": name, **success_cell(others), **_progress(others["reward"])})
        if name != ACTS_ON_VALUES and len(own):
            compared = compare_runs(others, own).iloc[0]
            pairs = others.merge(own, on="episode", suffixes=("_first", "_second"))
            gained = _progress(pairs["reward_second"] - pairs["reward_first"])
            leads.append(pd.concat([pd.Series({"than": name}), compared, pd.Series(gained)]).to_dict())
    return pd.DataFrame(reached), pd.DataFrame(leads, columns=None if leads else ["than"])


def _progress(rewards: "pd.Series[float]") -> dict[str, float]:
    members = [np.array([value]) for value in rewards.to_numpy(np.float64)]
    found = confidence_interval(mean_over_members(members), len(members), resamples=2000)
    return {"progress": found.value, "progress_low": found.low, "progress_high": found.high}
