"""Recorded episodes of a store as a trained policy is asked about them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from vidrep_pipelines.adapters.vpp_policy import VppPolicyMaker
from vidrep_pipelines.common.arrays import FloatArray
from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.evaluation.rollouts.open_loop import OpenLoopConfig, RecordedMoment
from vidrep_pipelines.evaluation.rollouts.protocol import Observation, PlanRequest
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.policy.dataset import recorded_numbers
from vidrep_pipelines.models.vpp.policy.items import ItemPlace, PolicyItemTable, table_of_split
from vidrep_pipelines.models.vpp.policy.items_config import PolicyItemsConfig
from vidrep_pipelines.models.vpp.policy.robot_policy import PublishedPolicyConfig

if TYPE_CHECKING:
    from vidrep_pipelines.data.frame_store.store import FrameStore

_MOST_FOR_MEAN = 5000


class RecordedEpisodes:
    """What was recorded, at the moments at which a policy could have been asked.

    Args:
        store: The frames.
        maker: The policy. What it was trained on says which data sets, views and actions are meant; its
            ``cameras`` are the names of the views.
        config: Which moments.

    Raises:
        ConfigurationError: The part of the store, or the training part, has no episode of these data sets, or
            there are more or fewer names than views.
        InputError: The checkpoint is no policy.
    """

    def __init__(self, store: "FrameStore", maker: VppPolicyMaker, config: OpenLoopConfig) -> None:
        items = PublishedPolicyConfig.of(Checkpoint.of(maker.policy)).items
        self._cameras, self._config = maker.cameras, config
        self._items = _table(store, config.split, items)
        self._train = _table(store, "train", items)
        if self._items.cameras != len(maker.cameras):
            raise ConfigurationError(
                f"The policy looks through {self._items.cameras} views, and {len(maker.cameras)} have names. "
                "Remedy: name as many in open_loop.cameras, in their order."
            )

    def mean_action(self) -> FloatArray:
        """(A,) the mean of recorded actions of the training part, at moments evenly chosen."""
        chosen = np.linspace(0, len(self._train) - 1, min(len(self._train), _MOST_FOR_MEAN)).astype(np.int64)
        places = (self._train.place(int(item)) for item in chosen)
        actions = [recorded_numbers(self._train, place)[0][:1] for place in places]
        return np.asarray(np.concatenate(actions).mean(axis=0), np.float64)

    def moments(self) -> Iterator[RecordedMoment]:
        """The moments, with their pictures read when they are asked for."""
        episodes: dict[int, int] = {}
        for item in range(len(self._items)):
            place = self._items.place(item)
            if place.episode not in episodes and len(episodes) == self._config.episodes:
                continue
            number = episodes.setdefault(place.episode, 0)
            episodes[place.episode] = number + 1
            if number % self._config.every == 0:
                yield self._moment(place)

    def _moment(self, place: ItemPlace) -> RecordedMoment:
        commands, state = recorded_numbers(self._items, place)
        frames = np.unique(place.actions)  # what is past the end is the last one again
        first = int(place.actions[0])
        before = None
        if first > 0:
            earlier = place._replace(actions=np.array([first - 1]))
            before = recorded_numbers(self._items, earlier)[0][0]
        store, episode = self._items.store, self._items.episodes[place.episode]
        pictures = {
            name: store.frames_at(view, [place.frame])[0]
            for name, view in zip(self._cameras, place.views, strict=True)
        }
        seed = seed_for(self._config.seed, episode, place.frame)
        request = PlanRequest(Observation(pictures, state), place.text, episode, place.frame, seed)
        return RecordedMoment(request, commands[: len(frames)], frames, before)


def _table(store: "FrameStore", split: str, items: PolicyItemsConfig) -> PolicyItemTable:
    table = table_of_split(store, split, items)
    if table is None:
        raise ConfigurationError(
            f"The part {split!r} of {store.folder} has no episode of {', '.join(items.data_sets)}, on which "
            "the policy was trained. Remedy: choose another open_loop.split, or ingest them."
        )
    return table
