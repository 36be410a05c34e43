"""What normalizes a policy's actions and states: percentiles over the items of the training split."""

from collections.abc import Iterable
from typing import Self

import numpy as np
from pydantic import PositiveInt, model_validator

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.vpp.policy.actions import (
    ActionCoding,
    ActionReference,
    moves_from,
    scaled_xhand_units,
)
from vidrep_pipelines.models.vpp.policy.dataset import recorded_numbers
from vidrep_pipelines.models.vpp.policy.items import PolicyItemTable, table_of_split
from vidrep_pipelines.models.vpp.policy.items_config import ActionKind, ActionsConfig, PolicyItemsConfig
from vidrep_pipelines.models.vpp.policy.phases import require_recordings_apart
from vidrep_pipelines.models.vpp.policy.units import (
    Bounds,
    Standard,
    StateCoding,
    Units,
    with_positive_quaternion,
)

Numbers = tuple[float, ...]

REFERENCES: dict[ActionKind, ActionReference] = {
    "calvin": "absolute",
    "bounded": "absolute",
    "xbot": "difference",
    "xhand": "steps",
    "xhand_scaled": "steps",
    "xhand_absolute": "absolute",
}
"""From where the actions of each kind are counted."""


class PolicyStatistics(FrozenConfig):
    """Ranges of states and of what is learned, under the names of the original's files."""

    state_01: Numbers
    """The low percentile of every number of the state; none where no state is known."""
    state_99: Numbers
    """The high one."""
    action_01: Numbers
    """The low percentile of every number of an action, counted as it is learned."""
    action_99: Numbers
    """The high one."""
    items: PositiveInt
    """Number of items that are normalized with them."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.state_01) != len(self.state_99) or len(self.action_01) != len(self.action_99):
            raise ValueError("there must be as many low as high percentiles")
        return self

    @property
    def states(self) -> Bounds | None:
        """Ranges of the state; none where no state is known."""
        return Bounds(np.array(self.state_01), np.array(self.state_99)) if self.state_01 else None

    @property
    def actions(self) -> Bounds:
        """Ranges of what is learned."""
        return Bounds(np.array(self.action_01), np.array(self.action_99))


def split_statistics(store: FrameStore, config: PolicyItemsConfig) -> dict[str, PolicyStatistics]:
    """The percentiles that normalize each split of a store.

    Those of the training items, for all; with ``actions.statistics_of: own`` each split's own, as the
    original has them.

    Raises:
        ConfigurationError: There is no item to train on.
        InputError: Phases of one recording are in several splits, a file is damaged, or numbers do not fit
            the kind of actions.
    """
    if config.phases == "all":
        views = store.table
        named = views[views["robot"].isin(config.data_sets)]
        require_recordings_apart(named, config.phases_each_recording)
    train = policy_statistics(PolicyItemTable(store.select("train"), config))
    found = {"train": train}
    for split in sorted(set(store.table["split"]) - {"train"}):
        table = table_of_split(store, split, config)
        if table is not None:
            of_own = policy_statistics(table) if config.actions.statistics_of == "own" else train
            found[split] = of_own.model_copy(update={"items": len(table)})
    return found


def policy_statistics(items: PolicyItemTable) -> PolicyStatistics:
    """The percentiles of a table's items, each item as often as it is in the table.

    The original computes those of held-out items from themselves; here it is the caller who says of which
    items they are (``actions.statistics_of``).

    Raises:
        InputError: A file is damaged, or numbers do not fit the kind of actions.
    """
    actions = items.config.actions
    numbers = (recorded_numbers(items, items.place(item)) for item in range(len(items)))
    return statistics_of(numbers, actions)


def statistics_of(
    numbers: Iterable[tuple[FloatArray, FloatArray]], config: ActionsConfig
) -> PolicyStatistics:
    """The percentiles of commands (A, D) and states (S,) of items.

    Args:
        numbers: Commands and state of every item.
        config: How actions are counted, and which percentiles.

    Raises:
        InputError: There is no item, or numbers do not fit the kind of actions.
    """
    reference, is_xhand = REFERENCES[config.kind], config.kind.startswith("xhand")
    moves, states = list[FloatArray](), list[FloatArray]()
    for commands, state in numbers:
        moves.append(moves_from(reference, commands, state))
        states.append(with_positive_quaternion(state) if is_xhand else state)
    if not moves:
        raise InputError("There is no item to compute statistics of. Remedy: change policy_items.items.rule.")
    try:
        all_moves, all_states = np.concatenate(moves), np.stack(states)
    except ValueError as error:
        raise InputError(
            f"Episodes have states or actions of different sizes ({error}). Remedy: train on data sets of "
            "one robot (policy_items.items.data_sets)."
        ) from error
    low, high = (np.percentile(all_moves, part, axis=0) for part in config.percentiles)
    state_low, state_high = (np.percentile(all_states, part, axis=0) for part in config.percentiles)
    return PolicyStatistics(
        state_01=tuple(state_low.tolist()),
        state_99=tuple(state_high.tolist()),
        action_01=tuple(low.tolist()),
        action_99=tuple(high.tolist()),
        items=len(moves),
    )


def action_coding(config: ActionsConfig, statistics: PolicyStatistics) -> ActionCoding:
    """How actions of a kind become what is learned.

    Raises:
        InputError: The statistics are damaged.
    """
    units: Units | None = statistics.actions
    if config.kind == "calvin":
        units = None
    elif config.kind == "xhand_scaled":
        units = scaled_xhand_units()
    elif config.kind == "xhand_absolute":
        units = _standard(config)
    return ActionCoding(REFERENCES[config.kind], units, gripper=config.kind == "calvin")


def state_coding(config: ActionsConfig, statistics: PolicyStatistics) -> StateCoding:
    """How the state becomes what the policy sees: by its ranges, and of ``xhand`` version 1 as published.

    Raises:
        InputError: The statistics are damaged.
    """
    units: Units | None = statistics.states
    if config.kind == "xhand_scaled":
        units = None
    elif config.kind == "xhand_absolute":
        units = _standard(config)
    return StateCoding(units, config.state_columns, quaternion=config.kind.startswith("xhand"))


def _standard(config: ActionsConfig) -> Standard:
    return Standard(np.array(config.mean), np.array(config.deviation))
