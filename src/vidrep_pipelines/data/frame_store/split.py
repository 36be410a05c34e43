"""Dealing views to train, validation and test."""

import logging
import random
from collections.abc import Sequence
from typing import TypeVar

import pandas as pd

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.data.frame_store.config import SPLITS, SplitConfig

Unit = TypeVar("Unit")

_FEWEST = 3
"""Units of a robot of which one can be held out for each purpose."""

_log = logging.getLogger(__name__)


def deal(units: Sequence[Unit], validation: int, test: int, rng: random.Random) -> dict[str, list[Unit]]:
    """Shuffles units and cuts the result into train, validation and test, in this order (published rule).

    Args:
        units: What is dealt, in a fixed order; the original takes that of the file system.
        validation: How many units are held out for validation.
        test: How many units are held out for the test.
        rng: Python's generator; ``shuffle`` is called once.

    Raises:
        ConfigurationError: Nothing is left to train on.
    """
    if validation + test >= len(units):
        raise ConfigurationError(
            f"split: {validation} units for validation and {test} for the test leave none of {len(units)} to "
            "train on. Remedy: lower split.validation and split.test; below 1 they are shares."
        )
    shuffled = list(units)
    rng.shuffle(shuffled)
    first, second = len(shuffled) - validation - test, len(shuffled) - test
    return dict(zip(SPLITS, (shuffled[:first], shuffled[first:second], shuffled[second:]), strict=True))


def subsample(units: Sequence[Unit], count: int, rng: random.Random) -> list[Unit]:
    """Shuffles units and keeps the first ``count`` (published rule for a smaller data set)."""
    shuffled = list(units)
    rng.shuffle(shuffled)
    return shuffled[:count]


def split_views(views: pd.DataFrame, config: SplitConfig) -> "pd.Series[str]":
    """Says for every view which split it belongs to.

    Args:
        views: Columns ``id`` and ``trajectory``, in any order: what is dealt is sorted first; ``robot`` where
            every robot is dealt on its own; and ``stated_split`` if sources state any: those keep theirs.
        config: What is dealt, how many are held out, and the seed.

    Returns:
        ``train``, ``validation`` or ``test`` per row.

    Raises:
        ConfigurationError: Nothing is left to train on.
    """
    splits = _stated(views)
    left = views[splits.isna()]
    for robot, rows in left.groupby("robot" if config.each_robot else [0] * len(left), sort=True):
        splits.loc[rows.index] = _dealt(rows, config, str(robot))
    shared = leaking_trajectories(views.assign(split=splits))
    if shared:
        _log.warning(
            "split.unit is 'view', as published: %d trajectories are both trained on and held out, seen by "
            "different cameras. Figures on held-out views are too good. Remedy: split.unit: trajectory.",
            len(shared),
        )
    return splits


def _stated(views: pd.DataFrame) -> "pd.Series[str]":
    """The splits that sources state; empty cells where they do not."""
    nothing = pd.Series(None, views.index, dtype=object)
    return views["stated_split"].astype(object) if "stated_split" in views else nothing


def _dealt(views: pd.DataFrame, config: SplitConfig, robot: str) -> "pd.Series[str]":
    """Deals the units of one robot, or of all if robots are not told apart."""
    units = views["trajectory" if config.unit == "trajectory" else "id"]
    names = sorted(set(units))
    if config.each_robot and len(names) < _FEWEST:
        return pd.Series("train", views.index, dtype=object)
    validation, test = (_count(number, len(names)) for number in (config.validation, config.test))
    rng = random.Random(seed_for(config.seed, robot) if config.each_robot else config.seed)
    dealt = deal(names, validation, test, rng)
    return units.map({name: split for split, members in dealt.items() for name in members})


def leaking_trajectories(views: pd.DataFrame) -> list[str]:
    """Trajectories of the training split that are also in another one, sorted."""
    train = views["split"] == "train"
    return sorted(set(views.loc[train, "trajectory"]) & set(views.loc[~train, "trajectory"]))


def _count(number: float, units: int) -> int:
    """Shares are rounded, but hold out at least one unit."""
    return max(round(number * units), 1) if 0 < number < 1 else int(number)
