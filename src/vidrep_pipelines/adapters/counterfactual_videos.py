"""The counterfactual test of a trained video model on tables of the sample world."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pandas as pd
from PIL.Image import Image
from torch import Tensor

from vidrep_pipelines.adapters.video_prediction import TrainedVideo, trained_name
from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.data.sample_world.tabletop import TabletopEpisodesConfig
from vidrep_pipelines.data.sample_world.tabletop_source import TABLETOP, TABLETOP_HELD_OUT, tabletop_of
from vidrep_pipelines.evaluation.video_prediction.config import CounterfactualConfig, VideoEvaluationConfig
from vidrep_pipelines.evaluation.video_prediction.counterfactual import MEASURES, ObjectChange, judge_table
from vidrep_pipelines.evaluation.video_prediction.counterfactual_scores import (
    counterfactual_predictions,
    judge_tables,
)
from vidrep_pipelines.evaluation.video_prediction.frames import even_places
from vidrep_pipelines.evaluation.video_prediction.kept_measures import KeptTable
from vidrep_pipelines.evaluation.video_prediction.system import MODEL
from vidrep_pipelines.evaluation.video_prediction.tables import (
    TABLE_SUFFIX,
    CounterfactualTable,
    TableRequest,
    film_table,
)
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.models.shared.units import channels_last, to_bytes
from vidrep_pipelines.models.vpp.video.task import VideoTask
from vidrep_pipelines.reporting.figures import notice
from vidrep_pipelines.reporting.video_prediction import ShownPrediction, prediction_sheet
from vidrep_pipelines.training.config import LaunchConfig
from vidrep_pipelines.training.distributed import choose_device


class FilmedTabletop(Protocol):
    """How the tabletop was filmed and stored: part of ``params:robot_episodes``."""

    @property
    def tabletop(self) -> TabletopEpisodesConfig:
        """How the tables were made."""

    @property
    def frames(self) -> FramesConfig:
        """How their frames are stored."""


_TESTED, _CALIBRATION = "tested", "calibration"
_log = logging.getLogger(__name__)


def tables_job(
    trajectories: Mapping[str, Sequence[str]],
    task: VideoTask,
    episodes: FilmedTabletop,
    config: CounterfactualConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per table of the sample world, filmed under all of its instructions.

    Args:
        trajectories: Episodes of the tabletop by split. Without any there is nothing to do.
        task: Says which frames of an episode the model predicts.
        episodes: How the tables were made, and how their frames are stored.
        config: How many of them, and of which splits.
        fanout: How items are executed.

    Raises:
        ConfigurationError: Frames are not stored as they were filmed, by a rule that is unknown for masks.
    """
    requests = _requests(trajectories.get(config.split, ()), task, episodes, config.tables, _TESTED)
    if requests:
        others = trajectories.get(config.calibration_split, ())
        requests += _requests(others, task, episodes, config.calibration_tables, _CALIBRATION)
    return _filming(requests, fanout)


def tested_tables_job(
    names: Sequence[str], task: VideoTask, episodes: FilmedTabletop, tables: int, fanout: FanOutConfig
) -> Job:
    """The same without tables to calibrate with, which only some questions need.

    Args:
        names: Episodes of the tabletop. Without any there is nothing to do.
        task: Says which frames of an episode the model predicts.
        episodes: How the tables were made, and how their frames are stored.
        tables: At most so many, spread evenly over the episodes.
        fanout: How items are executed.

    Raises:
        ConfigurationError: Frames are not stored as they were filmed, by a rule that is unknown for masks.
    """
    return _filming(_requests(names, task, episodes, tables, _TESTED), fanout)


def _filming(requests: Sequence[TableRequest], fanout: FanOutConfig) -> Job:
    items = [Item(request.name, request, request.digest) for request in requests]
    return Job("tables", film_table, items, (TABLE_SUFFIX,), fanout)


def tabletop_trajectories(store: FrameStore) -> dict[str, list[str]]:
    """Episodes of the sample world's tabletop in a store, sorted, by split."""
    facts = store.table
    own = facts[facts["robot"].isin([TABLETOP, TABLETOP_HELD_OUT])]
    return {str(split): sorted(set(rows["trajectory"])) for split, rows in own.groupby("split")}


def _requests(
    names: Sequence[str], task: VideoTask, episodes: FilmedTabletop, limit: int, purpose: str
) -> list[TableRequest]:
    world, frames = episodes.tabletop, episodes.frames
    if frames.rule is not None and (frames.height, frames.width) != (world.table.height, world.table.width):
        raise ConfigurationError(
            f"robot_episodes.frames ({frames.rule}) changes the shape of the tabletop's pictures, so that "
            "the counterfactual test does not know where objects are. Remedy: film the tabletop at the "
            "stored size, or ask for no table: video_prediction.counterfactuals.tables or "
            "ablate_vpp_policy.instruction_scores.tables: 0."
        )
    rule = task.mixture.rule(trained_name(task.mixture, TABLETOP))
    moments = rule.frame_ids(world.table.frames, 0, task.clips.frames)
    return [
        TableRequest(
            name=f"{purpose}/{names[place].replace('/', '_')}",
            config=world.table,
            seeds=tabletop_of(names[place], world).seeds,
            camera=world.table.cameras[0],
            moments=tuple(moments.tolist()),
            size=(frames.height, frames.width),
        )
        for place in even_places(len(names), limit)
    ]


def tables_for(parts: Parts, purpose: str = _TESTED) -> list[CounterfactualTable]:
    """The tables that were filmed for a purpose: ``tested`` or ``calibration``."""
    names = [name for name in parts.ids if name.startswith(f"{purpose}/")]
    return [CounterfactualTable.read(name, parts.path(name)) for name in names]


def judged_tables(
    trained: TrainedVideo,
    parts: Parts,
    evaluation: VideoEvaluationConfig,
    launch: LaunchConfig,
    folder: Path,
) -> pd.DataFrame:
    """Predicts and judges all tables; what was judged before is read again.

    Args:
        trained: The model.
        parts: The tables.
        evaluation: Seeds of the sampling, and how many videos are predicted at once.
        launch: Says on which device.
        folder: Of all kept judgements.

    Returns:
        See :func:`judge_tables`; no row if there are no tables.

    Raises:
        InputError: Tables are of another size than the model's videos, or a file is damaged.
        ConfigurationError: There are tables to test but none to calibrate with.
    """
    tables = tables_for(parts)
    if not tables:
        _log.info("counterfactual test: left out, as there are no tables of the sample world to test on")
        return pd.DataFrame({"combination": [], "predictor": [], "table": [], **{m: [] for m in MEASURES}})
    kept = KeptTable.of(folder, trained.digest, parts.content_digest, list(evaluation.seeds))
    judged = kept.load()
    if judged is not None:
        _log.info("counterfactual test: up to date (%d tables)", len(tables))
        return judged
    moved = _calibrated(parts)
    system = trained.system(choose_device(launch), evaluation.noise_levels)
    judged = judge_tables(tables, system, moved, evaluation.seeds, evaluation.batch_size)
    kept.save(judged)
    return judged


def _calibrated(parts: Parts) -> ObjectChange:
    tables = tables_for(parts, _CALIBRATION)
    if not tables:
        raise ConfigurationError(
            "counterfactuals.calibration_split has no episode of the sample world's tabletop. Remedy: name "
            "another split, or set robot_episodes.tabletop.validation_tables."
        )
    moved = ObjectChange.calibrated(tables)
    _log.info(
        "counterfactual test: an object has moved where more than %.2f of what its moving changes has "
        "changed; of truths that is right in %.1f %%",
        *(moved.threshold, 100 * moved.balanced_accuracy),
    )
    return moved


def counterfactual_sheet(
    trained: TrainedVideo, parts: Parts, evaluation: VideoEvaluationConfig, launch: LaunchConfig
) -> Image:
    """The first table: below one another, for every instruction, what happens and what is predicted.

    Args:
        trained: The model.
        parts: The tables.
        evaluation: Seed of the sampling, and how many videos are predicted at once.
        launch: Says on which device.
    """
    tables = tables_for(parts)
    if not tables:
        return notice("There are no tables of the sample world to test on.")
    table, moved = tables[0], _calibrated(parts)
    system = trained.system(choose_device(launch), 1)
    predicted = counterfactual_predictions(table, system, evaluation.seeds[0], evaluation.batch_size)[MODEL]
    judged = judge_table(table, predicted, moved)
    shown = [
        ShownPrediction(truth, pixels(video), order.text, [order.split.replace("_", " "), verdict])
        for truth, video, order, verdict in zip(
            table.truths, predicted, table.instructions, _verdicts(judged), strict=True
        )
    ]
    return prediction_sheet(shown, "One first frame under every instruction")


def _verdicts(judged: pd.DataFrame) -> Sequence[str]:
    nearest = judged["nearest_last"].map({1.0: "nearest to its own truth", 0.0: "nearer to another truth"})
    moved = judged["right_object_change"].map({1.0: "right object", 0.0: "wrong object"})
    return [f"{first}, {second}" for first, second in zip(nearest, moved, strict=True)]


def pixels(video: Tensor) -> Pixels:
    """A video (F, 3, H, W) in 0..1 as (F, H, W, 3) uint8."""
    return channels_last(to_bytes(video))
