"""Nodes that replay recorded episodes past a trained policy."""

from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.evaluation.rollouts.open_loop import OpenLoopConfig
from vidrep_pipelines.models.vpp.policy.config import ActionSamplingConfig
from vidrep_pipelines.pipelines.config import TrackingConfig
from vidrep_pipelines.pipelines.data_in_words import data_in_words
from vidrep_pipelines.pipelines.ingest.robot_episodes_nodes import RobotEpisodesConfig
from vidrep_pipelines.training.config import LaunchConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.store import FrameStore
else:
    FrameStore = Any  # its module takes seconds to import


class OpenLoopParameters(OpenLoopConfig):
    """All parameters of the replay (``params:open_loop``)."""

    cameras: tuple[str, ...] | None = None
    """Names for the policy's views, in their order. None: those of the sample world's tabletop."""

    sampling: ActionSamplingConfig | None = None
    """How actions are sampled. None: as when the policy was measured in its training."""


def replay_recorded(
    policy: Checkpoint,
    video_model: Checkpoint,
    codec: Checkpoint,
    store: FrameStore,
    parameters: OpenLoopParameters,
    episodes: RobotEpisodesConfig,
    launch: LaunchConfig,
) -> pd.DataFrame:
    """What the policy would have done at recorded moments, beside what was done and two floors."""
    from vidrep_pipelines.adapters.open_loop import RecordedEpisodes
    from vidrep_pipelines.adapters.vpp_policy import VppPolicyMaker
    from vidrep_pipelines.evaluation.rollouts.open_loop import replay_open_loop
    from vidrep_pipelines.training.distributed import choose_device

    maker = VppPolicyMaker(
        policy=policy.directory.absolute(),
        video_model=video_model.directory.absolute(),
        codec=codec.directory.absolute(),
        cameras=parameters.cameras or episodes.tabletop.table.cameras,
        sampling=parameters.sampling,
        device=choose_device(launch).type,
    )
    recorded = RecordedEpisodes(store, maker, parameters)
    return replay_open_loop(recorded.moments(), maker.make(), recorded.mean_action(), parameters.batch_size)


def measure_replay(
    rows: pd.DataFrame, parameters: OpenLoopParameters, tracking: TrackingConfig
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Errors in all, per number and per step, with intervals; and the log's."""
    from vidrep_pipelines.evaluation.rollouts.open_loop import open_loop_errors, open_loop_metrics

    del tracking  # the hook logs the numbers
    errors = open_loop_errors(rows, parameters.resamples)
    return errors, open_loop_metrics(errors)


def draw_replay(rows: pd.DataFrame, errors: pd.DataFrame, episodes: RobotEpisodesConfig) -> Image:
    """Errors over the chunk's steps, and every number of an episode's actions."""
    from vidrep_pipelines.reporting.open_loop import open_loop_chart
    from vidrep_pipelines.reporting.pictures import measured_on

    words = data_in_words("robot_episodes", {"robot_episodes": episodes})
    return measured_on(open_loop_chart(rows, errors), words)
