"""Dealing views to train, validation and test."""

import logging
import random
from collections.abc import Sequence
from typing import TypeVar

import pandas as pd

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.frame_store.config import SPLITS, SplitConfig

Unit = TypeVar("Unit")

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
        views: Columns ``id`` and ``trajectory``, in any order: what is dealt is sorted first.
        config: What is dealt, how many are held out, and the seed.

    Returns:
        ``train``, ``validation`` or ``test`` per row.

    Raises:
        ConfigurationError: Nothing is left to train on.
    """
    units = views["trajectory" if config.unit == "trajectory" else "id"]
    names = sorted(set(units))
    validation, test = (_count(number, len(names)) for number in (config.validation, config.test))
    dealt = deal(names, validation, test, random.Random(config.seed))
    splits = units.map({name: split for split, members in dealt.items() for name in members})
    shared = leaking_trajectories(views.assign(split=splits))
    if shared:
        _log.warning(
            "split.unit is 'view', as published: %d trajectories are both trained on and held out, seen by "
            "different cameras. Figures on held-out views are too good. Remedy: split.unit: trajectory.",
            len(shared),
        )
    return splits


def leaking_trajectories(views: pd.DataFrame) -> list[str]:
    """Trajectories of the training split that are also in another one, sorted."""
    train = views["split"] == "train"
    return sorted(set(views.loc[train, "trajectory"]) & set(views.loc[~train, "trajectory"]))


def _count(number: float, units: int) -> int:
    """Shares are rounded, but hold out at least one unit."""
    return max(round(number * units), 1) if 0 < number < 1 else int(number)
