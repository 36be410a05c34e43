"""Rollouts as work per block of episodes: sharded, resumable, each block in fresh environments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.rollouts.config import RolloutConfig
from vidrep_pipelines.evaluation.rollouts.engine import RolloutRules, roll_out_episodes
from vidrep_pipelines.evaluation.rollouts.protocol import EnvironmentMaker, EpisodeStart, PolicyMaker
from vidrep_pipelines.evaluation.rollouts.tables import record_table
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job, Scalar
from vidrep_pipelines.fanout.parts import Parts

_ROWS = ".parquet"
_ROLLOUT = 1
"""Version of what equal settings lead to: raised when the code that evaluates changes its results."""


@dataclass(frozen=True)
class RolloutCondition:
    """One of the things that are compared: a policy, told something, in an environment.

    Attributes:
        name: What tables call it.
        environment: Makes environments.
        policy: Makes the policy.
        starts: What its episodes begin with; no name twice.
        config: How it is rolled out.
    """

    name: str
    environment: EnvironmentMaker
    policy: PolicyMaker
    starts: tuple[EpisodeStart, ...]
    config: RolloutConfig

    @property
    def settings(self) -> dict[str, Any]:
        """All that determines its result but for the starts, as plain data: to be kept beside it."""
        return {
            "version": _ROLLOUT,
            "renderer": self.environment.renderer,
            "environment": dict(self.environment.identity),
            "policy": dict(self.policy.identity),
            "rollout": self.config.model_dump(mode="json"),
        }


@dataclass(frozen=True)
class RolloutBlock:
    """Some of the episodes of a condition.

    Attributes:
        condition: Whose.
        starts: What they begin with.
        environments: How many there are, in lock step.
        settings: Digest of all that determines the result.
    """

    condition: RolloutCondition
    starts: tuple[EpisodeStart, ...]
    environments: int
    settings: str


def rollout_job(
    conditions: Sequence[RolloutCondition], block: int, environments: int, fanout: FanOutConfig
) -> Job:
    """One item per block of episodes of each condition.

    Args:
        conditions: What is compared; no name twice.
        block: Episodes of an item.
        environments: Environments of an item, which run in lock step; nothing depends on it but speed.
        fanout: How items are executed; ``deadline_seconds`` is that of a block.
    """
    items = []
    for condition in conditions:
        settings = digest_of(condition.settings)
        for first in range(0, len(condition.starts), block):
            starts = condition.starts[first : first + block]
            payload = RolloutBlock(condition, starts, environments, settings)
            name = f"{condition.name}/{first:05d}-{first + len(starts) - 1:05d}"
            items.append(Item(name, payload, digest_of(settings, starts)))
    return Job("rollouts", roll_out_block, items, (_ROWS,), fanout)


def roll_out_block(block: RolloutBlock, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Attempts the episodes of a block and writes one row for each.

    Returns:
        How many episodes there were, and in how many the task was done.
    """
    condition = block.condition
    rules = RolloutRules(condition.config, block.settings)
    policy = condition.policy.make()
    records = roll_out_episodes(block.starts, condition.environment.make, policy, rules, block.environments)
    table = record_table(records)
    table.insert(0, "condition", condition.name)
    table.to_parquet(outputs[_ROWS], index=False)
    return {"episodes": len(records), "successes": sum(record.success for record in records)}


def rows_of_rollouts(parts: Parts) -> pd.DataFrame:
    """One row per episode of every condition.

    Raises:
        InputError: Blocks failed, or a file is gone or damaged.
    """
    return rows_of_blocks(
        parts, "blocks of episodes were not rolled out", "run again with fanout.retry_failed"
    )


def rows_of_blocks(parts: Parts, failure: str, again: str) -> pd.DataFrame:
    """The tables that blocks of episodes were written as, one below the other.

    Args:
        parts: A parquet file of each block.
        failure: What to say of blocks that failed, behind their number.
        again: How they are tried again.

    Raises:
        InputError: Blocks failed, or a file is gone or damaged.
    """
    if len(parts.failed):
        first = parts.failed.iloc[0]
        raise InputError(
            f"{len(parts.failed)} {failure}; {first['id']}: {first['error']}. Remedy: mend it and {again}; "
            "what is done is kept."
        )
    try:
        return pd.concat([pd.read_parquet(parts.path(name)) for name in parts.ids], ignore_index=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{parts.folder} is damaged ({error}). Remedy: run again.") from error
