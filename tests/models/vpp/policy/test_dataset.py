"""Samples of the policy: what they hold, what is drawn, and what is told of an instruction."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.models.vpp.policy.demonstrations import ACTION, STATE, Demonstration, demonstration_store
from tests.models.vpp.video.spoken import TEXTS, mean_latents
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.vpp.policy.actions import ActionCoding
from vidrep_pipelines.models.vpp.policy.dataset import (
    FrameObservations,
    GoalFeatures,
    GoalTokens,
    LatentObservations,
    Observations,
    PolicyItems,
)
from vidrep_pipelines.models.vpp.policy.items import ItemPlace, PolicyItemTable
from vidrep_pipelines.models.vpp.policy.items_config import ItemRule, PolicyItemsConfig
from vidrep_pipelines.models.vpp.policy.units import Bounds, StateCoding


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    episodes = [Demonstration(number, 8, cameras=(0, 2)) for number in range(2)]
    return demonstration_store(tmp_path_factory.mktemp("store"), episodes)


def tokens(texts: Any) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.tensor([[len(text), 7] for text in texts])
    return ids, torch.ones_like(ids)


def items_of(store: FrameStore, observations: Observations | None = None, **fields: Any) -> PolicyItems:
    table = PolicyItemTable(store, PolicyItemsConfig(rule=ItemRule(chunk=3)))
    return PolicyItems(table, observations or FrameObservations(store), ActionCoding(), **fields)


def test_what_an_item_holds(store: FrameStore) -> None:
    items = items_of(
        store, tokenize=tokens, goals=GoalTokens(tokens), state=StateCoding(columns=(0, 1)), seed=3
    )
    assert len(items) == 14
    item = items[0, 9]
    assert set(item) == {
        *("frames", "actions", "state", "ids", "mask", "goal_ids", "goal_mask", "seed", "index")
    }
    assert item["frames"].shape == (2, 3, 16, 16) and item["frames"].dtype == torch.uint8
    assert item["frames"].flatten(1).float().mean(1).tolist() == [20, 22]
    assert item["actions"].dtype == torch.float32
    assert item["actions"].tolist() == [[-(102.0 + step)] * ACTION for step in range(3)]
    assert item["state"].tolist() == [102.0, 102.0] and item["index"] == 9
    assert item["ids"].tolist() == item["goal_ids"].tolist() == [len(TEXTS[1]), 7]
    assert items.name(9) == "tabletop/001, frame 2"


def test_what_is_not_asked_for_is_not_there(store: FrameStore) -> None:
    assert set(items_of(store)[0, 0]) == {"frames", "actions", "seed", "index"}


def test_seeds_follow_from_seed_epoch_and_index(store: FrameStore) -> None:
    one, other = items_of(store, seed=1), items_of(store, seed=2)
    seeds = {
        int(items[epoch, index]["seed"]) for items in (one, other) for epoch in (0, 1) for index in (0, 1)
    }
    assert len(seeds) == 8
    assert torch.equal(one[0, 0]["seed"], items_of(store, seed=1)[0, 0]["seed"])


def test_a_choice_between_draws_is_made_anew_in_every_epoch(store: FrameStore) -> None:
    chosen = list[int]()

    def observe(place: ItemPlace, seed: int) -> dict[str, torch.Tensor]:
        chosen.append(seed)
        return {}

    items = items_of(store, observe)
    for epoch in (0, 1, 0):
        _ = items[epoch, 5]
    assert chosen[0] == chosen[2] != chosen[1]


def test_latents_of_all_cameras(store: FrameStore, tmp_path: Path) -> None:
    item = items_of(store, LatentObservations(mean_latents(tmp_path, store)))[0, 3]
    assert item["latents"].shape == (2, 6, 4, 4) and item["latents"].dtype == torch.float32
    assert item["latents"].flatten(1).mean(1).tolist() == [30, 32]


def test_features_of_instructions(store: FrameStore) -> None:
    goals = GoalFeatures({text: torch.full((4,), float(place)) for place, text in enumerate(TEXTS)})
    assert items_of(store, goals=goals)[0, 13]["goal"].tolist() == [1.0] * 4
    with pytest.raises(InputError, match=r"no feature of the instruction 'push"):
        _ = items_of(store, goals=GoalFeatures({}))[0, 0]


def test_numbers_that_do_not_fit_name_the_episode(store: FrameStore) -> None:
    table = PolicyItemTable(store, PolicyItemsConfig(rule=ItemRule(chunk=3)))
    wrong = ActionCoding("absolute", Bounds(np.zeros(7), np.ones(7)))
    with pytest.raises(InputError, match=r"tabletop/000, frame 1: .* 7 of each"):
        _ = PolicyItems(table, FrameObservations(store), wrong)[0, 1]


def test_the_original_numbers_are_there_too(store: FrameStore) -> None:
    items = items_of(store)
    commands, state = items.recorded(items.items.place(0))
    assert commands.shape == (3, ACTION) and state.tolist() == [0.0] * STATE
