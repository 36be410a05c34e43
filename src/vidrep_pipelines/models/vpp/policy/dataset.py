"""Which samples the policy trains on: what is seen at a moment, what was asked for, and what was done."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.data.clips.dataset import Sample
from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.data.frame_store.codes import LATENTS
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.vpp.policy.actions import ActionCoding
from vidrep_pipelines.models.vpp.policy.items import ItemPlace, PolicyItemTable
from vidrep_pipelines.models.vpp.policy.units import StateCoding

Tokenize = Callable[[Sequence[str]], tuple[Tensor, Tensor]]
"""Texts to ids and mask, (B, L) int64 each."""


class Observations(Protocol):
    """What is stored of the moment at which an item begins."""

    def __call__(self, place: ItemPlace, seed: int) -> dict[str, Tensor]:
        """What the policy sees, by its name in the sample.

        Args:
            place: Where the item is.
            seed: Chooses where there is a choice, such as between draws of features.
        """


class FrameObservations:
    """The pictures themselves: ``frames`` (V, 3, H, W) uint8, all of the store's size.

    Args:
        store: The store that the items are of.
    """

    def __init__(self, store: FrameStore) -> None:
        self._store = store

    def __call__(self, place: ItemPlace, seed: int) -> dict[str, Tensor]:
        """See :class:`Observations`."""
        size = self._store.facts.height, self._store.facts.width
        pictures = np.empty((len(place.views), *size, 3), np.uint8)
        for picture, view in zip(pictures, place.views, strict=True):
            self._store.picture_into(picture, view, place.frame)
        return {"frames": torch.from_numpy(pictures).permute(0, 3, 1, 2)}


class LatentObservations:
    """Latents of the pictures: ``latents`` (V, C, h, w) float32, scaled as they are stored.

    Args:
        latents: Those beside the store that the items are of.
    """

    def __init__(self, latents: FrameArrayStore) -> None:
        self._latents = latents

    def __call__(self, place: ItemPlace, seed: int) -> dict[str, Tensor]:
        """See :class:`Observations`."""
        one = slice(place.frame, place.frame + 1)
        latents = [self._latents.array_at(LATENTS, view, one) for view in place.views]
        return {"latents": torch.from_numpy(np.concatenate(latents)).float()}


class Goals(Protocol):
    """What the policy is told of an instruction."""

    def __call__(self, text: str) -> dict[str, Tensor]:
        """By its name in the sample."""


class GoalTokens:
    """The numbers of an instruction: ``goal_ids`` and ``goal_mask`` (L,).

    Args:
        tokenize: What makes them; the published policies use CLIP's, padded to 77.
    """

    def __init__(self, tokenize: Tokenize) -> None:
        self._tokenize = tokenize

    def __call__(self, text: str) -> dict[str, Tensor]:
        """See :class:`Goals`."""
        ids, mask = self._tokenize([text])
        return {"goal_ids": ids[0], "goal_mask": mask[0]}


class GoalFeatures:
    """What a frozen text model makes of an instruction: ``goal`` (1, G), or as it is given.

    Args:
        features: For every instruction, by its text.
    """

    def __init__(self, features: Mapping[str, Tensor]) -> None:
        self._features = dict(features)

    def __call__(self, text: str) -> dict[str, Tensor]:
        """See :class:`Goals`.

        Raises:
            InputError: There is none for this instruction.
        """
        if text not in self._features:
            raise InputError(
                f"There is no feature of the instruction {text!r}. Remedy: compute the goals of all "
                "instructions of the store again."
            )
        return {"goal": self._features[text]}


class PolicyItems(Dataset[Sample]):
    """Items of a store. What is drawn follows from (seed, epoch, index).

    Args:
        items: Which there are.
        observations: What is seen.
        actions: How actions become what is learned.
        tokenize: What makes ids of an instruction for the video model. None: items have none, as where
            features are stored.
        goals: What the policy is told of it. None: nothing.
        state: What the policy sees of the robot's state. None: nothing, as for CALVIN.
        seed: Seed of the run.
    """

    def __init__(
        self,
        items: PolicyItemTable,
        observations: Observations,
        actions: ActionCoding,
        *,
        tokenize: Tokenize | None = None,
        goals: Goals | None = None,
        state: StateCoding | None = None,
        seed: int = 0,
    ) -> None:
        self.items, self._observations, self._actions = items, observations, actions
        self._tokenize, self._goals, self._state, self._seed = tokenize, goals, state, seed

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, position: tuple[int, int]) -> Sample:
        """Makes the item ``index`` in an epoch.

        Returns:
            What is seen: ``frames`` (V, 3, H, W) uint8, ``latents`` (V, C, h, w) or ``features`` (V, F, C, h,
            w). ``actions`` (A, d) float32; ``state`` (s,) float32 if the policy sees it; ``ids`` and ``mask``
            (L,) for the video model and ``goal_ids`` and ``goal_mask``, or ``goal``, for the policy, where
            asked for; ``seed`` of the item's noise; ``index``.

        Raises:
            IndexError: There is no such item.
            InputError: A file is damaged, numbers are not as the coding of actions expects, or a word is
                unknown.
        """
        epoch, index = map(int, position)
        place = self.items.place(index)
        item: Sample = self._observations(place, seed_for(self._seed, epoch, index, "observation"))
        commands, state = self.recorded(place)
        try:
            item["actions"] = torch.from_numpy(self._actions.encode(commands, state)).float()
            if self._state is not None:
                item["state"] = torch.from_numpy(self._state.encode(state)).float()
        except InputError as error:
            raise InputError(f"{self.items.describe(index)}: {error}") from error
        if self._tokenize is not None:
            ids, mask = self._tokenize([place.text])
            item |= {"ids": ids[0], "mask": mask[0]}
        if self._goals is not None:
            item |= self._goals(place.text)
        seed = torch.tensor(seed_for(self._seed, epoch, index, "loss"), dtype=torch.int64)
        return {**item, "seed": seed, "index": index}

    def recorded(self, place: ItemPlace) -> tuple[FloatArray, FloatArray]:
        """Commands (A, D) and state (S,) of an item as they were recorded, float64."""
        return recorded_numbers(self.items, place)

    def name(self, index: int) -> str:
        """Episode and frame of an item, for messages."""
        return self.items.describe(index)


def recorded_numbers(items: PolicyItemTable, place: ItemPlace) -> tuple[FloatArray, FloatArray]:
    """Commands (A, D) and state (S,) of an item as they were recorded, float64; S = 0 if none is known."""
    store, view = items.store, place.views[0]
    learned = store.states_at if items.config.actions.learn == "states" else store.actions_at
    _, _, known = store.index.states(view)
    one = slice(place.frame, place.frame + 1) if known else slice(0, 0)
    state = store.states_at(view, one).astype(np.float64)
    return learned(view, place.actions).astype(np.float64), state.reshape(-1)
