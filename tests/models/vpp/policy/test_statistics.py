"""Percentiles: of training items alone, of what is learned, and the codings that they lead to."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tests.models.vpp.policy.demonstrations import ACTION, STATE, Demonstration, demonstration_store
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.vpp.policy.items import PolicyItemTable
from vidrep_pipelines.models.vpp.policy.items_config import ActionsConfig, ItemRule, PolicyItemsConfig
from vidrep_pipelines.models.vpp.policy.statistics import (
    PolicyStatistics,
    action_coding,
    policy_statistics,
    split_statistics,
    state_coding,
    statistics_of,
)
from vidrep_pipelines.models.vpp.policy.units import Bounds, Standard


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    episodes = [Demonstration(number, 9) for number in range(5)]
    return demonstration_store(tmp_path_factory.mktemp("store"), episodes, validation=2)


def config(**actions: Any) -> PolicyItemsConfig:
    return PolicyItemsConfig(rule=ItemRule(chunk=3), actions=ActionsConfig.model_validate(actions))


def test_every_number_of_every_item_counts(store: FrameStore) -> None:
    found = policy_statistics(PolicyItemTable(store, config(percentiles=(10, 80))))
    actions, states = [], []
    for episode in range(5):
        for start in range(8):
            states.append(100 * episode + start)
            actions += [-(100 * episode + min(start + step, 7)) for step in range(3)]
    assert found.items == 5 * 8
    assert_allclose(found.action_01, [np.percentile(actions, 10)] * ACTION)
    assert_allclose(found.action_99, [np.percentile(actions, 80)] * ACTION)
    assert_allclose(found.state_01, [np.percentile(states, 10)] * STATE)
    assert_allclose(found.state_99, [np.percentile(states, 80)] * STATE)


def test_held_out_items_are_normalized_by_the_training_items(store: FrameStore) -> None:
    found = split_statistics(store, config())
    train = policy_statistics(PolicyItemTable(store.select("train"), config()))
    assert found["train"] == train and (found["train"].items, found["validation"].items) == (24, 16)
    assert found["validation"].model_copy(update={"items": 24}) == train
    own = split_statistics(store, config(statistics_of="own"))
    assert own["train"] == train
    assert own["validation"] == policy_statistics(PolicyItemTable(store.select("validation"), config()))
    assert own["validation"].action_01 != train.action_01


def test_nothing_to_train_on(store: FrameStore) -> None:
    with pytest.raises(ConfigurationError, match="no view in the split 'train'"):
        split_statistics(store.select("validation"), config())


def test_learned_differences_are_what_is_counted() -> None:
    rng = np.random.default_rng(0)
    numbers = [(rng.normal(size=(4, 5)) + state, state) for state in rng.normal(size=(30, 5)) * 50]
    found = statistics_of(numbers, ActionsConfig(kind="xbot"))
    moves = np.concatenate([commands - state for commands, state in numbers])
    assert_allclose(found.action_99, np.percentile(moves, 99, axis=0))
    coding = action_coding(ActionsConfig(kind="xbot"), found)
    learned = np.concatenate([coding.encode(*one) for one in numbers])
    assert 0.005 < (np.abs(learned) == 1).mean() < 0.04, "two in a hundred are cut off"


def test_each_kind_has_its_units() -> None:
    ranges = PolicyStatistics(
        state_01=(0.0,) * 19, state_99=(1.0,) * 19, action_01=(0.0,) * 18, action_99=(2.0,) * 18, items=3
    )
    calvin = action_coding(ActionsConfig(kind="calvin"), ranges)
    assert calvin.units is None and calvin.gripper and calvin.reference == "absolute"
    hand = action_coding(ActionsConfig(kind="xhand"), ranges)
    assert isinstance(hand.units, Bounds) and hand.reference == "steps" and not hand.gripper
    absolute = ActionsConfig(kind="xhand_absolute", mean=(0.0,) * 19, deviation=(1.0,) * 19)
    assert isinstance(action_coding(absolute, ranges).units, Standard)
    assert isinstance(state_coding(absolute, ranges).units, Standard)
    scaled = ActionsConfig(kind="xhand_scaled", state_columns=(0, 3))
    state = np.array([0.5, 0, 0, -1, *[0.0] * 15])
    assert state_coding(scaled, ranges).encode(state).tolist() == [0.5, 1.0], "in its own units, turned"
    assert state_coding(ActionsConfig(kind="xbot"), ranges).encode(np.zeros(19)).tolist() == [-1.0] * 19


def test_without_states_there_are_no_ranges_of_them() -> None:
    found = statistics_of([(np.zeros((2, 3)), np.zeros(0))] * 2, ActionsConfig())
    assert found.states is None and found.actions.size == 3


def test_what_cannot_be_counted() -> None:
    with pytest.raises(InputError, match="no item"):
        statistics_of([], ActionsConfig())
    with pytest.raises(InputError, match="different sizes"):
        statistics_of([(np.zeros((2, 3)), np.zeros(3)), (np.zeros((2, 4)), np.zeros(3))], ActionsConfig())
    with pytest.raises(ValueError, match="as many low as high"):
        PolicyStatistics(state_01=(0,), state_99=(), action_01=(), action_99=(), items=1)


def test_phases_of_a_recording_in_two_splits_are_refused(tmp_path: Path) -> None:
    store = demonstration_store(
        tmp_path,
        [Demonstration(number, 6, name=f"tabletop/{number // 5}/phase{number % 5}") for number in range(10)],
        validation=3,
    )
    with pytest.raises(InputError, match="both trained on and held out"):
        split_statistics(store, config())
    assert split_statistics(store, config().model_copy(update={"phases": "first"}))["train"].items in {5, 10}
