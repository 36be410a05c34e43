"""The evaluation as work per block of sequences: sharded, resumable, each block in fresh environments."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.evaluation.calvin.config import CalvinEvaluationConfig
from vidrep_pipelines.evaluation.calvin.contenders import Contender
from vidrep_pipelines.evaluation.calvin.long_horizon import (
    NumberedSequence,
    evaluate_sequences,
    place_of_attempt,
)
from vidrep_pipelines.evaluation.calvin.sequences import task_sequences
from vidrep_pipelines.evaluation.calvin.world import CalvinEnvironment, CalvinWorldMaker
from vidrep_pipelines.evaluation.rollouts.engine import EpisodeRecord, RolloutRules
from vidrep_pipelines.evaluation.rollouts.protocol import PolicyMaker
from vidrep_pipelines.evaluation.rollouts.rollout_job import rows_of_blocks
from vidrep_pipelines.evaluation.rollouts.tables import record_table
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job, Scalar
from vidrep_pipelines.fanout.parts import Parts

ROWS_SUFFIX = ".parquet"

_EVALUATION = 1
"""Version of what equal settings lead to: raised when the code that evaluates changes its results."""


@dataclass(frozen=True)
class CalvinBlock:
    """Some of the sequences, with all that is needed to attempt them.

    Attributes:
        contender: Name of the policy.
        sequences: With their numbers.
        world: Makes environments.
        policy: Makes the policy.
        config: How it is evaluated.
        settings: Digest of all that determines the result.
    """

    contender: str
    sequences: tuple[NumberedSequence, ...]
    world: CalvinWorldMaker
    policy: PolicyMaker
    config: CalvinEvaluationConfig
    settings: str


def evaluation_settings(
    world: CalvinWorldMaker, policy: PolicyMaker, config: CalvinEvaluationConfig
) -> dict[str, Any]:
    """All that determines a result, as plain data: to be kept beside it, and digested."""
    return {
        "version": _EVALUATION,
        "renderer": world.renderer,
        "world": dict(world.identity),
        "policy": dict(policy.identity),
        "evaluation": config.model_dump(mode="json", exclude={"confidence", "resamples"}),
    }


def settings_of_run(world: CalvinWorldMaker, contenders: Sequence[Contender]) -> dict[str, Any]:
    """By contender all that determines its result, and its digest, which stands in its rows."""
    found = {}
    for contender in contenders:
        settings = evaluation_settings(world, contender.maker(0), contender.config)
        found[contender.name] = {"digest": digest_of(settings), "attempted": contender.attempted, **settings}
    return found


def numbered_sequences(contender: Contender) -> list[NumberedSequence]:
    """The sequences that a contender attempts, with their numbers."""
    return list(enumerate(task_sequences(contender.config.sequences)))[: contender.attempted]


def calvin_job(world: CalvinWorldMaker, contenders: Sequence[Contender], fanout: FanOutConfig) -> Job:
    """One item per contender and block of sequences.

    Args:
        world: Makes environments.
        contenders: Policies, and how they are evaluated.
        fanout: How items are executed; ``deadline_seconds`` is that of a block.
    """
    items: list[Item] = []
    for contender in contenders:
        settings = digest_of(evaluation_settings(world, contender.maker(0), contender.config))
        numbered, size = numbered_sequences(contender), contender.config.block
        for start in range(0, len(numbered), size):
            policy = contender.maker(len(items))
            block = CalvinBlock(
                contender.name,
                tuple(numbered[start : start + size]),
                world,
                policy,
                contender.config,
                settings,
            )
            items.append(Item(_block_name(block), block, settings))
    return Job("calvin sequences", evaluate_block, items, (ROWS_SUFFIX,), fanout)


def _block_name(block: CalvinBlock) -> str:
    return f"{block.contender}/{block.sequences[0][0]:04d}-{block.sequences[-1][0]:04d}"


def evaluate_block(block: CalvinBlock, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Attempts the sequences of a block and writes one row per attempt.

    Returns:
        How many sequences there were, how many of their tasks were tried, and how many done.
    """
    rules = RolloutRules(block.config.rollout, block.settings)
    policy = block.policy.make()
    with ExitStack() as opened:
        environments = []
        for _ in range(min(block.config.environments, len(block.sequences))):
            environments.append(CalvinEnvironment(block.world.make()))
            opened.callback(environments[-1].close)
        records = evaluate_sequences(environments, block.sequences, policy, rules)
    _rows_of(block, records).to_parquet(outputs[ROWS_SUFFIX], index=False)
    return {
        "sequences": len(block.sequences),
        "tasks_tried": len(records),
        "tasks_done": sum(record.success for record in records),
        "renderer": records[0].renderer,
    }


def _rows_of(block: CalvinBlock, records: Sequence[EpisodeRecord]) -> pd.DataFrame:
    """The records with number and tasks of their sequence, place in it, and who shared their environments."""
    places = [place_of_attempt(record.episode) for record in records]
    tasks = {number: ",".join(sequence.tasks) for number, sequence in block.sequences}
    return record_table(records).assign(
        policy=block.contender,
        sequence=[number for number, _ in places],
        place=[place for _, place in places],
        tasks=[tasks[number] for number, _ in places],
        block=_block_name(block),
    )


def rows_of_evaluation(parts: Parts) -> pd.DataFrame:
    """One row per attempt, policy after policy, and of each sequence after sequence.

    Raises:
        InputError: Blocks failed, or a file is gone or damaged.
    """
    return rows_of_blocks(parts, "blocks of sequences were not evaluated", "run again")
