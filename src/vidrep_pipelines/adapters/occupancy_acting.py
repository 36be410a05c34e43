"""Acting on the values of an occupancy model in the sample world, beside what acts without them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from vidrep_pipelines.adapters.occupancy import load_model, split_of
from vidrep_pipelines.adapters.occupancy_acting_config import (
    ActingConditionName,
    ActorName,
    OccupancyActingConfig,
    OccupancyActingSpec,
)
from vidrep_pipelines.common.arrays import FloatArray, IntArray
from vidrep_pipelines.common.digest import digest_of, digest_of_file
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.common.seeds import generator_for, seed_for
from vidrep_pipelines.data.sample_world.world import ACTION_NAMES
from vidrep_pipelines.data.token_episodes.episodes import TokenEpisodes
from vidrep_pipelines.data.token_episodes.file import read_token_episodes
from vidrep_pipelines.evaluation.bootstrap import confidence_interval, mean_over_members
from vidrep_pipelines.evaluation.occupancy.baselines import shared_places
from vidrep_pipelines.evaluation.occupancy.cloning import ActionCloner, clone_actions
from vidrep_pipelines.evaluation.occupancy.state_episode import discounted_returns
from vidrep_pipelines.evaluation.rollouts.agent_world import (
    CAMERA,
    AgentWorldMaker,
    ScriptedAgentMaker,
    WanderingMaker,
    agent_starts,
)
from vidrep_pipelines.evaluation.rollouts.floors import StillMaker
from vidrep_pipelines.evaluation.rollouts.protocol import ChunkPolicy, PlanRequest, PolicyMaker
from vidrep_pipelines.evaluation.rollouts.rollout_job import RolloutCondition
from vidrep_pipelines.evaluation.rollouts.tables import compare_runs, success_cell
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.shared.trained import loaded_once
from vidrep_pipelines.models.voc.config import VocModelConfig
from vidrep_pipelines.models.voc.inference import OccupancyPredictor
from vidrep_pipelines.models.voc.tokenizers.inference import Tokenizer, checkpoint_source, tokenize
from vidrep_pipelines.training.config import LaunchConfig

ACTS_ON_VALUES: ActingConditionName = "occupancy"
"""The condition that all others are compared with."""

_ACTING = 1
"""Version of what equal models, episodes and parameters lead to: raised when actions change."""


class TokenEyes:
    """What policies see: the tokens of the last frames of each episode.

    Args:
        tokenizer: Makes tokens of pictures.
        frame_stack: Frames of a state.
    """

    def __init__(self, tokenizer: Tokenizer, frame_stack: int) -> None:
        self._tokenizer, self._frame_stack = tokenizer, frame_stack
        self._seen: dict[str, list[IntArray]] = {}

    def states(self, requests: Sequence[PlanRequest]) -> IntArray:
        """States (B, T) of observations; the first frame of an episode is repeated before it."""
        pictures = np.stack([request.observation.pictures[CAMERA] for request in requests])
        codes = tokenize(self._tokenizer, torch.from_numpy(pictures).permute(0, 3, 1, 2))
        for request, own in zip(requests, codes.flatten(1).cpu().numpy(), strict=True):
            before = [own] * (self._frame_stack - 1) if request.step == 0 else self._seen[request.episode]
            self._seen[request.episode] = [*before, own][-self._frame_stack :]
        return np.stack([np.concatenate(self._seen[request.episode]) for request in requests])


class ActionLibrary:
    """Chunks of actions that were taken in training episodes, to be found by the state they were taken in.

    Args:
        episodes: The training episodes.
        frame_stack: Frames of a state.
        length: Actions of a chunk.
        gamma: Discount of the returns.

    Attributes:
        states: (N, T) tokens.
        actions: (N, length, A), the actions taken from there on.
        returns: (N,) discounted rewards that followed, to the end of the episode.
        total: (N,) all rewards of the episode.

    Raises:
        ConfigurationError: All episodes are shorter than a chunk.
    """

    def __init__(self, episodes: TokenEpisodes, frame_stack: int, length: int, gamma: float) -> None:
        states, actions, returns, total, starts = [], [], [], [], [0]
        for number in range(len(episodes.names)):
            rows = episodes.outcomes_of(number)
            taken, rewards = episodes.actions[rows], episodes.rewards[rows].astype(np.float64)
            count = len(taken) - length + 1
            if count < 1:
                continue
            states.append(episodes.states_of(number, frame_stack)[:count])
            actions.append(np.stack([taken[step : step + length] for step in range(count)]))
            returns.append(discounted_returns(rewards, gamma)[:count])
            total.append(np.full(count, rewards.sum()))
            starts.append(starts[-1] + count)
        if not states:
            raise ConfigurationError(
                f"No episode has {length} actions. Remedy: lower occupancy_acting.rollout.execute_steps."
            )
        self.states, self.actions = np.concatenate(states), np.concatenate(actions).astype(np.float64)
        self.returns, self.total = np.concatenate(returns), np.concatenate(total)
        self._starts = np.array(starts)

    def nearest(self, states: IntArray, count: int) -> IntArray:
        """Rows (B, K) that share most tokens with states (B, T), each of another episode, the best first."""
        alike = shared_places(states, self.states)
        best = np.maximum.reduceat(alike, self._starts[:-1], axis=1)
        episodes = np.argsort(-best, axis=1, kind="stable")[:, :count]
        return np.array([
            [int(self._starts[one] + row[self._starts[one] : self._starts[one + 1]].argmax()) for one in own]
            for row, own in zip(alike, episodes.tolist(), strict=True)
        ])  # fmt: skip


Judge = Callable[[IntArray, IntArray, Sequence[PlanRequest]], FloatArray]
"""Scores (B, K) of candidate rows (B, K) of the library, for states (B, T) and what was asked of them."""


class RetrievingActor:
    """Does what was done in one of the most similar training states: a ``ChunkPolicy``.

    Args:
        eyes: What it sees.
        library: What there is to be done.
        candidates: How many of these it chooses from.
        judge: Says how good they are.
    """

    def __init__(self, eyes: TokenEyes, library: ActionLibrary, candidates: int, judge: Judge) -> None:
        self._eyes, self._library, self._candidates, self._judge = eyes, library, candidates, judge
        self.chunk_length = int(library.actions.shape[1])

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        """(B, length, A): the actions of the best candidate."""
        states = self._eyes.states(requests)
        rows = self._library.nearest(states, self._candidates)
        chosen = self._judge(states, rows, requests).argmax(axis=1)
        actions: FloatArray = self._library.actions[rows[np.arange(len(rows)), chosen]]
        return actions


class CloningActor:
    """Does what a network has learned to do: a ``ChunkPolicy``.

    Args:
        eyes: What it sees.
        cloner: The network.
        length: Actions of a plan.
    """

    def __init__(self, eyes: TokenEyes, cloner: ActionCloner, length: int) -> None:
        self._eyes, self._cloner, self.chunk_length = eyes, cloner, length

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        """(B, length, A) of what it sees."""
        actions = self._cloner.act(self._eyes.states(requests))
        return np.clip(actions, -1, 1).reshape(len(requests), self.chunk_length, -1)


def value_judge(predictor: OccupancyPredictor, library: ActionLibrary, samples: int) -> Judge:
    """By the mean predicted reward in the discounted future of a state and a candidate's first action."""

    def judge(states: IntArray, rows: IntArray, requests: Sequence[PlanRequest]) -> FloatArray:
        count = rows.shape[1]
        seeds = np.repeat([request.seed % 2**62 for request in requests], count)
        first = library.actions[rows.reshape(-1), 0]
        rewards = predictor.reward_samples(np.repeat(states, count, axis=0), seeds, samples, first)
        values: FloatArray = rewards.mean(axis=1).reshape(rows.shape)
        return values

    return judge


def return_judge(library: ActionLibrary) -> Judge:
    """By what the candidate's own episode returned from there on."""
    return lambda states, rows, requests: library.returns[rows]


def chance_judge(states: IntArray, rows: IntArray, requests: Sequence[PlanRequest]) -> FloatArray:
    """By chance, from the seeds of what was asked."""
    return np.stack([generator_for("candidate", request.seed).random(rows.shape[1]) for request in requests])


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
        shared = {
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
        shared |= {"candidates": config.candidates, "gamma": spec.gamma}
        if self.name != ACTS_ON_VALUES:
            return shared
        return {**shared, "model": Checkpoint.of(spec.model).digest, "samples": config.samples}

    def make(self) -> ChunkPolicy:
        """The policy.

        Raises:
            ConfigurationError: The model is not conditioned on actions.
            InputError: A file cannot be read, or model and tokens do not belong together.
        """
        return loaded_once(_load_actor, self, digest_of(dict(self.identity)), self.spec.device)


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
    judge = return_judge(library) if maker.name == "returns" else chance_judge
    if maker.name == ACTS_ON_VALUES:
        model = load_model(Checkpoint.of(spec.model), tokens, LaunchConfig(device=device))
        if model.config.gpt.action_dimension is None:
            raise ConfigurationError(
                "The occupancy model knows no actions, so that it cannot choose any. Remedy: train it with "
                "model.gpt.action_dimension, as pretrain_voc_acting does."
            )
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
            compared = compare_runs(others, own).iloc[0].to_dict()
            pairs = others.merge(own, on="episode", suffixes=("_first", "_second"))
            gained = _progress(pairs["reward_second"] - pairs["reward_first"])
            leads.append({"than": name, **compared, **gained})
    return pd.DataFrame(reached), pd.DataFrame(leads, columns=None if leads else ["than"])


def _progress(rewards: "pd.Series[float]") -> dict[str, float]:
    members = [np.array([value]) for value in rewards.to_numpy(np.float64)]
    found = confidence_interval(mean_over_members(members), len(members), resamples=2000)
    return {"progress": found.value, "progress_low": found.low, "progress_high": found.high}
