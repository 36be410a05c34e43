"""Nodes that evaluate policies on CALVIN, report what they did, and look at the world before."""

import logging
from typing import Any

import pandas as pd
from PIL.Image import Image

from vidrep_pipelines.data.sources.calvin.episodes import CalvinCamera
from vidrep_pipelines.datasets.checkpoint import Checkpoint
from vidrep_pipelines.evaluation.calvin.config import (
    CalvinEvaluationConfig,
    CalvinExportConfig,
    CalvinPolicyConfig,
    CalvinRecordingConfig,
)
from vidrep_pipelines.evaluation.calvin.contenders import Contender, baseline_contenders, chosen_contenders
from vidrep_pipelines.evaluation.calvin.worlds import CalvinWorldConfig, replayed_recordings, world_maker
from vidrep_pipelines.evaluation.rollouts.protocol import PolicyMaker
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.models.vpp.policy.config import ActionSamplingConfig
from vidrep_pipelines.pipelines.config import SystemParameters, TrackingConfig
from vidrep_pipelines.pipelines.data_in_words import data_in_words
from vidrep_pipelines.training.config import LaunchConfig

_log = logging.getLogger(__name__)


class CalvinParameters(SystemParameters):
    """All parameters of the evaluation on CALVIN (``params:calvin``)."""

    world: CalvinWorldConfig = CalvinWorldConfig()
    """Where policies act, and which recordings ``check_calvin`` replays there."""

    evaluation: CalvinEvaluationConfig = CalvinEvaluationConfig()
    """Which sequences are attempted, and how."""

    policy: CalvinPolicyConfig = CalvinPolicyConfig()
    """Which policy is evaluated, and beside which floors."""

    cameras: tuple[CalvinCamera, ...] = ("rgb_static", "rgb_gripper")
    """What the trained policy sees: the world's cameras in the order of the policy's views."""

    sampling: ActionSamplingConfig | None = None
    """How the trained policy's actions are sampled. None: as when it was measured in its training."""

    recording: CalvinRecordingConfig = CalvinRecordingConfig()
    """Which attempts are filmed, and how."""

    export: CalvinExportConfig = CalvinExportConfig()
    """Where they are written for others, too."""


def evaluate_policy(
    policy: Checkpoint,
    video_model: Checkpoint,
    codec: Checkpoint,
    parameters: CalvinParameters,
    launch: LaunchConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per block of sequences and policy: the one that is asked for, and the floors."""
    from vidrep_pipelines.evaluation.calvin.evaluation_job import calvin_job
    from vidrep_pipelines.fanout.devices import workers_for_device
    from vidrep_pipelines.training.distributed import choose_device

    contenders = _policy_and_floors((policy, video_model, codec), parameters, launch)
    own = workers_for_device(fanout, choose_device(launch).type)
    return calvin_job(world_maker(parameters.world), contenders, own.trying_again())


def state_policy_settings(
    policy: Checkpoint,
    video_model: Checkpoint,
    codec: Checkpoint,
    parameters: CalvinParameters,
    launch: LaunchConfig,
) -> dict[str, Any]:
    """All that the results depend on, by policy, with the digest that stands in the rows."""
    from vidrep_pipelines.evaluation.calvin.evaluation_job import settings_of_run

    contenders = _policy_and_floors((policy, video_model, codec), parameters, launch)
    return settings_of_run(world_maker(parameters.world), contenders)


def evaluate_baselines(parameters: CalvinParameters, fanout: FanOutConfig) -> Job:
    """One item per block of sequences and policy that needs no training: the expert and the floors."""
    from vidrep_pipelines.evaluation.calvin.evaluation_job import calvin_job

    return calvin_job(world_maker(parameters.world), _baselines(parameters), fanout.trying_again())


def state_baseline_settings(parameters: CalvinParameters) -> dict[str, Any]:
    """All that the results depend on, by policy, with the digest that stands in the rows."""
    from vidrep_pipelines.evaluation.calvin.evaluation_job import settings_of_run

    return settings_of_run(world_maker(parameters.world), _baselines(parameters))


def film_policy(
    policy: Checkpoint,
    video_model: Checkpoint,
    codec: Checkpoint,
    parameters: CalvinParameters,
    launch: LaunchConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per filmed sequence of the policy that is asked for."""
    from vidrep_pipelines.fanout.devices import workers_for_device
    from vidrep_pipelines.training.distributed import choose_device

    contenders = _policy_and_floors((policy, video_model, codec), parameters, launch)
    return _films(contenders[0], parameters, workers_for_device(fanout, choose_device(launch).type))


def film_baselines(parameters: CalvinParameters, fanout: FanOutConfig) -> Job:
    """One item per filmed sequence of the expert, or of a floor where there is none."""
    return _films(_baselines(parameters)[0], parameters, fanout)


def export_attempts_of_films(films: Parts, parameters: CalvinParameters) -> dict[str, Any]:
    """Writes the filmed attempts as a LeRobotDataset where that is asked for; says where, and how many."""
    from vidrep_pipelines.evaluation.calvin.recording_job import export_recordings

    if parameters.export.lerobot is None:
        return {"lerobot": None}
    folder = parameters.export.lerobot.absolute()
    counts = export_recordings(films, folder, parameters.recording.frames_per_second)
    return {"lerobot": folder.as_posix(), **counts}


def report_sequences(
    blocks: Parts, parameters: CalvinParameters, tracking: TrackingConfig
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Rows of attempts and of sequences; tasks in a row, average lengths and tasks; numbers to track."""
    from vidrep_pipelines.evaluation.calvin.evaluation_job import rows_of_evaluation
    from vidrep_pipelines.evaluation.calvin.scores import numbers_of_run, score_run

    del tracking  # the hook logs the numbers
    rows = rows_of_evaluation(blocks)
    scores = score_run(rows, parameters.evaluation)
    _log.info("tasks in a row on CALVIN:\n%s", scores.lengths.to_string(index=False, float_format="%.3g"))
    numbers = numbers_of_run(rows, parameters.evaluation)
    return rows, scores.sequences, scores.chains, scores.lengths, scores.tasks, numbers


def draw_sequences(
    chains: pd.DataFrame, lengths: pd.DataFrame, tasks: pd.DataFrame, parameters: CalvinParameters
) -> Image:
    """Success of 1 to 5 tasks in a row with intervals, and of every task."""
    from vidrep_pipelines.reporting.calvin import chain_picture

    level = f"{100 * parameters.evaluation.confidence:g} % intervals"
    words = data_in_words("calvin", {"calvin": parameters})
    heading = f"Measured on {words}, rendered by {world_maker(parameters.world).renderer}; {level}"
    return chain_picture(chains, lengths, tasks, heading)


def check_calvin_world(parameters: CalvinParameters) -> dict[str, Any]:
    """Renderer, devices, pictures, resets, speed, and recorded actions that do their tasks again."""
    from vidrep_pipelines.common.digest import plain
    from vidrep_pipelines.evaluation.calvin.check import check_world

    world = parameters.world
    facts: dict[str, Any] = plain(
        check_world(world_maker(world), replayed_recordings(world), world.least_replayed)
    )
    _log.info("CALVIN's world: %s", ", ".join(f"{name} {value}" for name, value in facts.items()))
    return facts


def _policy_and_floors(
    trained: tuple[Checkpoint, Checkpoint, Checkpoint], parameters: CalvinParameters, launch: LaunchConfig
) -> list[Contender]:
    makers = _trained_makers(trained, parameters, launch) if parameters.policy.kind == "trained" else []
    world = world_maker(parameters.world)
    return chosen_contenders(parameters.policy, parameters.evaluation, world, makers)


def _trained_makers(
    trained: tuple[Checkpoint, Checkpoint, Checkpoint], parameters: CalvinParameters, launch: LaunchConfig
) -> list[PolicyMaker]:
    """One for each device."""
    from vidrep_pipelines.adapters.vpp_policy import VppPolicyMaker
    from vidrep_pipelines.fanout.devices import devices_of_machine
    from vidrep_pipelines.training.distributed import choose_device

    policy, video_model, codec = (checkpoint.directory.absolute() for checkpoint in trained)
    return [
        VppPolicyMaker(
            policy=policy,
            video_model=video_model,
            codec=codec,
            cameras=parameters.cameras,
            sampling=parameters.sampling,
            device=device,
        )
        for device in devices_of_machine(choose_device(launch).type)
    ]


def _baselines(parameters: CalvinParameters) -> list[Contender]:
    return baseline_contenders(parameters.policy, parameters.evaluation, world_maker(parameters.world))


def _films(contender: Contender, parameters: CalvinParameters, fanout: FanOutConfig) -> Job:
    from vidrep_pipelines.evaluation.calvin.recording_job import recording_job

    world, keep = world_maker(parameters.world), parameters.export.lerobot is not None
    return recording_job(world, contender, parameters.recording, fanout.trying_again(), keep=keep)
