"""Nodes that act on the values of an occupancy model, and say what that is worth."""

import logging
from typing import Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.adapters.occupancy_acting_config import OccupancyActingConfig, OccupancyActingSpec
from vidrep_pipelines.data.sample_world.agent_config import AgentEpisodesConfig
from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.datasets.token_episodes import TokenEpisodesFile
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.config import TrackingConfig
from vidrep_pipelines.pipelines.data_in_words import data_in_words
from vidrep_pipelines.pipelines.ingest.dmc_nodes import DmcConfig
from vidrep_pipelines.training.config import LaunchConfig

_log = logging.getLogger(__name__)


def plan_acting(
    checkpoint: Checkpoint,
    spec: dict[str, Any],
    tokens: TokenEpisodesFile,
    tokenizer: Checkpoint,
    config: OccupancyActingConfig,
    dmc: DmcConfig,
    agents: AgentEpisodesConfig,
    launch: LaunchConfig,
) -> dict[str, Any]:
    """All that acting needs: who acts, in which world, with which model."""
    from vidrep_pipelines.adapters.occupancy import discount_of
    from vidrep_pipelines.adapters.occupancy_acting import require_actions
    from vidrep_pipelines.common.errors import ConfigurationError
    from vidrep_pipelines.training.distributed import choose_device

    if dmc.replay_buffer is not None or dmc.control is not None:
        raise ConfigurationError(
            "Acting on occupancy is tried out in the sample world, and the episodes are of another one. "
            "Remedy: set dmc.replay_buffer and dmc.control to null, in a data folder of its own."
        )
    require_actions(checkpoint)
    planned = OccupancyActingSpec(
        model=checkpoint.directory.absolute(),
        tokenizer=tokenizer.directory.absolute(),
        tokens=tokens.path.absolute(),
        gamma=discount_of(spec),
        device=choose_device(launch).type,
        agents=agents,
        frames=dmc.frames,
        config=config,
    )
    return planned.model_dump(mode="json")


def act_on_values(planned: dict[str, Any], fanout: FanOutConfig) -> Job:
    """One item per block of episodes of each condition."""
    from vidrep_pipelines.adapters.occupancy_acting import acting_conditions
    from vidrep_pipelines.evaluation.rollouts.rollout_job import rollout_job
    from vidrep_pipelines.fanout.devices import workers_for_device

    spec = OccupancyActingSpec.model_validate(planned)
    workers = workers_for_device(fanout, spec.device)
    return rollout_job(acting_conditions(spec), spec.config.block, spec.config.environments, workers)


def tabulate_acting(
    parts: Parts, tracking: TrackingConfig
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, float]]:
    """Rows of all episodes, what each condition reached, the lead of acting on values, numbers to track."""
    from vidrep_pipelines.adapters.occupancy_acting import acting_tables
    from vidrep_pipelines.evaluation.rollouts.rollout_job import rows_of_rollouts
    from vidrep_pipelines.reporting.rollouts import success_text

    del tracking  # the hook logs the numbers
    rows = rows_of_rollouts(parts)
    reached, leads = acting_tables(rows)
    _log.info("success:\n%s", success_text(reached))
    by_condition, than = reached.set_index("condition"), leads.set_index("than")
    metrics = {f"success/{name}": float(value) for name, value in by_condition["success"].items()}
    metrics |= {f"progress/{name}": float(value) for name, value in by_condition["progress"].items()}
    if len(than):
        metrics |= {f"lead_over_{name}": float(value) for name, value in than["difference"].items()}
    return rows, reached, leads, metrics


def paint_acting(reached: pd.DataFrame, dmc: DmcConfig) -> Image:
    """What each condition reached, with intervals."""
    from vidrep_pipelines.reporting.occupancy_acting import acting_bars
    from vidrep_pipelines.reporting.pictures import measured_on

    return measured_on(acting_bars(reached), data_in_words("dmc", {"dmc": dmc}))
