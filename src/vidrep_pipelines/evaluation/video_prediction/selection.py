"""Which episodes are predicted for people to look at, and what they are told."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.common.suggestions import did_you_mean
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.evaluation.video_prediction.clips import instruction_of
from vidrep_pipelines.evaluation.video_prediction.config import PredictVideoConfig
from vidrep_pipelines.evaluation.video_prediction.frames import even_places, prediction_frame_ids


@dataclass(frozen=True, eq=False)
class ChosenEpisode:
    """An episode that is predicted.

    Attributes:
        view: Its name in the store.
        trajectory: The episode.
        data_set: Which data set it is of.
        text: What the model is told.
        own_text: What the robot was told; None if nothing.
        frames: (F,) int64 the frames that the prediction is compared with; the first is given.
    """

    view: str
    trajectory: str
    data_set: str
    text: str
    own_text: str | None
    frames: NDArray[np.int64]


def chosen_episodes(store: FrameStore, config: PredictVideoConfig, frames: int) -> list[ChosenEpisode]:
    """The episodes that a configuration asks for, in its order.

    Args:
        store: All episodes.
        config: Which of them.
        frames: Frames F of a prediction.

    Raises:
        ConfigurationError: There is no such split, data set, number or camera, or a new instruction is for an
            episode that is not predicted.
        InputError: There is no such episode, it is too short, or nobody said what is to be done in it.
    """
    rows = [_view(views, config) for views in _episodes(store, config)]
    names = [row["trajectory"] for row in rows]
    if isinstance(config.instructions, dict):
        _require_known(config.instructions, names, "prediction.instructions is for", ConfigurationError)
    return [_chosen(store, row, config, frames) for row in rows]


def _episodes(store: FrameStore, config: PredictVideoConfig) -> list[pd.DataFrame]:
    """The views of each episode, in the order asked for."""
    table = store.table
    by_name = {str(name): own for name, own in table.groupby("trajectory", sort=True)}
    _require_known(config.trajectories, list(by_name), f"{store.folder} has no episode", InputError)
    names = list(config.trajectories)
    part = table if config.split is None else store.select(config.split).table
    of_data_set = {str(name): sorted(set(own["trajectory"])) for name, own in part.groupby("robot")}
    _require_known(config.numbers, list(of_data_set), "prediction.numbers: no data set", ConfigurationError)
    for data_set, text in config.numbers.items():
        names += [of_data_set[data_set][place] for place in _places(data_set, text, of_data_set)]
    if not names:
        names = [own[place] for own in of_data_set.values() for place in even_places(len(own), config.limit)]
    return [by_name[name] for name in names]


def _places(data_set: str, text: str, known: dict[str, list[str]]) -> list[int]:
    count = len(known[data_set])
    parts = [part.strip() for part in text.split("+")]
    wrong = [part for part in parts if not part.isdecimal() or int(part) >= count]
    if wrong:
        raise ConfigurationError(
            f"prediction.numbers.{data_set}: {wrong[0]!r} is no number from 0 to {count - 1}. Write them "
            f"like 0+3+17; {data_set} has {count} episodes in this split."
        )
    return [int(part) for part in parts]


def _require_known(
    names: Sequence[str] | dict[str, str], known: list[str], what: str, error: type[Exception]
) -> None:
    for name in names:
        if name not in known:
            example = f" There is {known[0]!r}, for example." if known else ""
            raise error(f"{what} {name!r}.{did_you_mean(name, known) or example}")


def _view(views: pd.DataFrame, config: PredictVideoConfig) -> dict[Any, Any]:
    own = views.sort_values("camera")
    if config.camera is not None:
        own = own[own["camera"] == config.camera]
    if own.empty:
        raise ConfigurationError(
            f"prediction.camera: {views['trajectory'].iloc[0]!r} has no camera {config.camera}, only "
            f"{sorted(views['camera'])}."
        )
    return own.iloc[0].to_dict()


def _chosen(store: FrameStore, row: dict[Any, Any], config: PredictVideoConfig, frames: int) -> ChosenEpisode:
    name = row["trajectory"]
    try:
        ids = prediction_frame_ids(int(row["frames"]), frames, config.frames)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    own = instruction_of(store.episode(row["id"]), int(ids[0]))
    new = config.instructions
    text = (new.get(name) if isinstance(new, dict) else new) or own
    if text is None:
        raise InputError(
            f"{name}: nothing says what is to be done. Remedy: give it one in prediction.instructions."
        )
    return ChosenEpisode(row["id"], name, row["robot"], text, own, ids)
