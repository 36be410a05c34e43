"""Open-loop replay: at moments of recorded episodes a policy says what it would do, beside what was done.

Nothing is executed, so that no simulator or robot is needed; what a small error leads to is not seen either.
Two floors need no training: the mean action, and the last action again and again. Intervals are over
episodes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from vidrep_pipelines.common.arrays import FloatArray, Ranks
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.evaluation.bootstrap import confidence_interval, mean_over_members
from vidrep_pipelines.evaluation.rollouts.protocol import ChunkPolicy, PlanRequest

POLICY, MEAN_ACTION, LAST_ACTION = "policy", "mean_action", "last_action"
PREDICTORS = (POLICY, MEAN_ACTION, LAST_ACTION)
REPLAY_ROWS = ["episode", "frame", "step", "done_at", "dimension", "recorded", *PREDICTORS]
ERROR_ROWS = ["predictor", "measure", "part", "number", "value", "low", "high", "episodes", "moments"]
_WHOLE = -1


class OpenLoopConfig(FrozenConfig):
    """Which moments are replayed (``params:open_loop``)."""

    split: Literal["train", "validation", "test"] = "test"
    """Part of the store."""

    episodes: int = Field(32, ge=1)
    """The first so many in the order of their names, or all."""

    every: int = Field(5, ge=1)
    """Items of an episode from one moment to the next."""

    batch_size: int = Field(8, ge=1)
    """Moments in one call of the policy."""

    seed: int = 0
    """Of the noise of the plans."""

    resamples: int = Field(2000, ge=100)
    """Of the intervals."""


@dataclass(frozen=True, eq=False)
class RecordedMoment:
    """A moment of a recorded episode.

    Attributes:
        request: What a policy is asked there; ``step`` is the frame.
        actions: (K, A) what was done from there on, K at least one.
        frames: (K,) at which it was done.
        before: (A,) what was done just before; none at the beginning.
    """

    request: PlanRequest
    actions: FloatArray
    frames: Ranks
    before: FloatArray | None


def replay_open_loop(
    moments: Iterable[RecordedMoment], policy: ChunkPolicy, mean_action: FloatArray, batch: int
) -> pd.DataFrame:
    """What is predicted beside what was done.

    Args:
        moments: In the order of their episodes.
        policy: What is evaluated.
        mean_action: (A,) of the training episodes; also stands for the last action where there is none.
        batch: Moments in one call of the policy.

    Returns:
        The columns ``REPLAY_ROWS``: one row per moment, step of the chunk and number of an action.

    Raises:
        InputError: There is no moment, or actions are not finite or of another size than those recorded.
    """
    tables, left = [], iter(moments)
    while group := list(islice(left, batch)):
        chunks = policy.plan([moment.request for moment in group])
        tables += [_rows(moment, chunk, mean_action) for moment, chunk in zip(group, chunks, strict=True)]
    if not tables:
        raise InputError("There is no recorded moment to replay. Remedy: choose another open_loop.split.")
    return pd.concat(tables, ignore_index=True)


def _rows(moment: RecordedMoment, chunk: FloatArray, mean_action: FloatArray) -> pd.DataFrame:
    request, recorded = moment.request, moment.actions[: len(chunk)]
    steps, size = recorded.shape
    if chunk.shape[1] != size or not np.isfinite(chunk).all():
        finite = "finite" if np.isfinite(chunk).all() else "not all finite"
        raise InputError(
            f"{request.episode}, frame {request.step}: the policy planned actions of {chunk.shape[1]} "
            f"numbers, {finite}, and those recorded have {size}. "
            "Remedy: replay the data set that it was trained on."
        )
    before = mean_action if moment.before is None else moment.before
    columns = {
        "episode": request.episode,
        "frame": request.step,
        "step": np.repeat(np.arange(steps), size),
        "done_at": np.repeat(moment.frames[:steps], size),
        "dimension": np.tile(np.arange(size), steps),
        "recorded": recorded.reshape(-1),
        POLICY: chunk[:steps].reshape(-1),
        MEAN_ACTION: np.tile(mean_action, steps),
        LAST_ACTION: np.tile(before, steps),
    }
    return pd.DataFrame(columns, columns=REPLAY_ROWS)


def open_loop_errors(rows: pd.DataFrame, resamples: int) -> pd.DataFrame:
    """Mean errors with intervals: in all, of each number of an action, and of each step of the chunk.

    Args:
        rows: See :func:`replay_open_loop`.
        resamples: Of whole episodes.

    Returns:
        The columns ``ERROR_ROWS``. ``measure``: ``absolute`` or ``squared``. ``part``: ``all``, ``dimension``
        or ``step``, and its ``number``. ``predictor``: those of ``PREDICTORS``, and ``policy_less_<floor>``,
        the difference of their errors at the same moments, below 0 where the policy is better.
    """
    found = []
    for measure, errors in _errors(rows):
        for part, number, own in _parts(rows):
            chosen = errors[own]
            episodes = rows["episode"].to_numpy()[own]
            moments = len(rows.loc[own, ["episode", "frame"]].drop_duplicates())
            for predictor in errors.columns:
                members = _by_episode(episodes, chosen[predictor].to_numpy())
                statistic = mean_over_members(members)
                interval = confidence_interval(statistic, len(members), resamples=resamples)
                values = (interval.value, interval.low, interval.high, len(members), moments)
                found.append((predictor, measure, part, number, *values))
    return pd.DataFrame(found, columns=ERROR_ROWS)


def _errors(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    away = rows[list(PREDICTORS)].sub(rows["recorded"], axis=0)
    for measure, errors in (("absolute", away.abs()), ("squared", away**2)):
        less = {
            f"policy_less_{floor}": errors[POLICY] - errors[floor] for floor in (MEAN_ACTION, LAST_ACTION)
        }
        yield measure, errors.assign(**less)


def _parts(rows: pd.DataFrame) -> Iterator[tuple[str, int, NDArray[np.bool_]]]:
    yield "all", _WHOLE, np.ones(len(rows), bool)
    for part in ("dimension", "step"):
        numbers = rows[part].to_numpy()
        for number in np.unique(numbers):
            yield part, int(number), numbers == number


def _by_episode(episodes: NDArray[Any], values: FloatArray) -> list[FloatArray]:
    """The values of each episode."""
    _, group = np.unique(episodes.astype(str), return_inverse=True)
    order = np.argsort(group, kind="stable")
    return np.split(values[order], np.cumsum(np.bincount(group))[:-1])


def open_loop_metrics(errors: pd.DataFrame) -> dict[str, float]:
    """The errors in all as flat numbers, for the run tracker."""
    whole = errors[errors["part"] == "all"]
    names = whole["measure"] + "_error_" + whole["predictor"]
    return dict(zip(names, whole["value"].astype(float), strict=True))
