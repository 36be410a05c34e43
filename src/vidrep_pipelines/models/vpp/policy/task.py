"""The policy for the training loop: which items, which model, which loss, which pictures."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor, nn
from torch.utils.data import default_collate

from vidrep_pipelines.common.errors import ConfigurationError
from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.vpp.policy.checkpoint_io import read_policy
from vidrep_pipelines.models.vpp.policy.config import (
    ActionSamplingConfig,
    GoalConfig,
    PolicyModelConfig,
    PolicyObjectiveConfig,
)
from vidrep_pipelines.models.vpp.policy.dataset import (
    GoalFeatures,
    LatentObservations,
    Observations,
    PolicyItems,
)
from vidrep_pipelines.models.vpp.policy.feature_store import StoredFeatures
from vidrep_pipelines.models.vpp.policy.features import FeatureReader
from vidrep_pipelines.models.vpp.policy.goal import goal_encoder, goal_files
from vidrep_pipelines.models.vpp.policy.inference import ActionPredictor
from vidrep_pipelines.models.vpp.policy.items import PolicyItemTable, table_of_split
from vidrep_pipelines.models.vpp.policy.items_config import PolicyItemsConfig
from vidrep_pipelines.models.vpp.policy.model import PolicyModel
from vidrep_pipelines.models.vpp.policy.objective import draw_policy_randomness, policy_objective
from vidrep_pipelines.models.vpp.policy.pictures import chunk_sheet
from vidrep_pipelines.models.vpp.policy.seen import SeenFeatures
from vidrep_pipelines.models.vpp.policy.statistics import PolicyStatistics, action_coding, state_coding
from vidrep_pipelines.models.vpp.policy.video_former import FlatFeatures, features_of_views
from vidrep_pipelines.training.order import ItemKey
from vidrep_pipelines.training.system_task import SystemTask
from vidrep_pipelines.training.task import Batch, Metrics, StepInfo
from vidrep_pipelines.training.update import move_to

HELD_OUT = "validation"
"""The split on which a policy is looked at and measured while it is trained."""

_SHOWN_ITEMS = 4
_FITTED_ITEMS = 8192
_SAMPLED_AT_ONCE = 64


class SampledActions(NamedTuple):
    """Chunks (N, A, a) around -1..1 on the CPU, and the N instructions."""

    truth: Tensor
    """What was done."""
    sampled: Tensor
    """What the policy would do."""
    texts: list[str]
    """What the robot was told."""


class PolicyTask(SystemTask[PolicyModel]):
    """A :class:`~vidrep_pipelines.training.task.Task`; the video model before the policy is frozen."""

    name: ClassVar[str] = "vpp_policy"
    name_in_digests: ClassVar[str] = "vidrep_pipelines.models.vpp.policy.task:PolicyTask"
    not_science: ClassVar[set[str] | dict[str, Any]] = {
        **dict.fromkeys(("frames", "sampling", "pictures_resized", "initialize_from"), True),
        "seen": {"content", "stored", "latents", "checkpoint"},
        "goal": {"folder"},
    }

    frames: Path
    """Folder of the frame store."""

    pictures_resized: FramesConfig
    """Size and rule by which the store's pictures were resized, for whoever uses the policy on a robot."""

    seen: SeenFeatures
    """The features that the policy looks at."""

    items: PolicyItemsConfig
    """Which moments of which episodes, and what is learned there."""

    statistics: PolicyStatistics
    """What normalizes actions and states."""

    split: str = "train"
    """Part of the store that is trained on."""

    goal: GoalConfig = GoalConfig()
    """How instructions become goals."""

    model: PolicyModelConfig
    """The architecture."""

    objective: PolicyObjectiveConfig = PolicyObjectiveConfig()
    """The loss."""

    initialize_from: Path | None = None
    """A published checkpoint to start from, such as dp-calvin. None: random weights."""

    decayed: Literal["all", "matrices"] = "all"
    """Which weights decay. Published: all, biases and norms included."""

    sampling: ActionSamplingConfig = ActionSamplingConfig()
    """How the chunks in pictures and measurements are sampled."""

    def files_that_count(self) -> dict[str, Path | None]:
        """The weights that are started from, and what a frozen text model of goals is read from."""
        return {"initialize_from": self.initialize_from, **goal_files(self.goal)}

    def science(self) -> dict[str, Any]:
        """What determines the result, without a path."""
        described = super().science()
        if self.model.former.components is None:  # such runs are older than the parameter
            del described["model"]["former"]["components"]
        return described

    def checkpoint_config(self) -> dict[str, Any]:
        """All that a robot needs to use the policy: sizes, codings of actions and state, what it looks at."""
        parts = {"model", "goal", "items", "statistics", "objective", "pictures_resized", "sampling"}
        seen = self.seen.model_dump(mode="json", include={"digest", "shape", "video_model"})
        return {**self.model_dump(mode="json", include=parts), "seen": seen}

    def build_model(self) -> PolicyModel:
        """Video Former and denoiser with random or published weights.

        Principal components, where the Video Former has them, are those of the split's features.

        Raises:
            InputError: ``initialize_from`` holds another architecture.
            ConfigurationError: There are fewer items than components.
        """
        if self.initialize_from is not None:
            return read_policy(self.initialize_from, self.model).build().train()
        model = PolicyModel(self.model)
        if isinstance(model.video_former, FlatFeatures):
            model.video_former.fit(self._sampled_features())
        return model

    def _sampled_features(self) -> Tensor:
        """Features (n, F, N, C) of items that are spread over the split."""
        dataset, keys = self.build_dataset(), self.fixed_items(_FITTED_ITEMS)
        parts = (keys[start : start + _SAMPLED_AT_ONCE] for start in range(0, len(keys), _SAMPLED_AT_ONCE))
        return torch.cat(
            [self.features_of(default_collate([dataset[key] for key in part])) for part in parts]
        )

    def table(self) -> PolicyItemTable:
        """The items of the split.

        Raises:
            ConfigurationError: A data set or camera is not there, or there is no item.
        """
        found = table_of_split(FrameStore(self.frames), self.split, self.items)
        if found is None:
            raise ConfigurationError(f"{self.frames} has no item in the split {self.split}.")
        return found

    def build_dataset(self) -> PolicyItems:
        """Items with their features, or the latents that these are computed from, and goals.

        Raises:
            ConfigurationError: There is no item.
            InputError: Features are missing, or others than the policy is to see.
        """
        table = self.table()
        state = state_coding(self.items.actions, self.statistics)
        return PolicyItems(
            table,
            self._observations(table.store),
            action_coding(self.items.actions, self.statistics),
            tokenize=None if self.seen.stored is not None else self._reader_on("cpu").tokenizer,
            goals=GoalFeatures(self._goals(table.texts)),
            state=None if self.model.denoiser.proprioception is None else state,
            seed=self.seed,
        )

    def _observations(self, store: FrameStore) -> Observations:
        if self.seen.latents is not None:
            return LatentObservations(FrameArrayStore(self.seen.latents, store))
        assert self.seen.stored is not None
        return StoredFeatures(FrameArrayStore(self.seen.stored, store).requiring((), self.seen.digest))

    def _goals(self, texts: Sequence[str]) -> dict[str, Tensor]:
        encode = goal_encoder(self.goal)
        return dict(zip(texts, encode(texts).cpu(), strict=True))

    def item_names(self, indices: Sequence[int]) -> list[str]:
        """Episodes and frames, for error messages."""
        table = self.table()
        return [table.describe(index) for index in indices]

    def parameter_groups(self, model: PolicyModel, weight_decay: float) -> list[dict[str, Any]]:
        """One group of all weights, as published, or matrices apart from vectors."""
        if self.decayed == "matrices":
            return super().parameter_groups(model, weight_decay)
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        return [{"params": trained, "weight_decay": weight_decay}]

    def shard_units(self, model: PolicyModel) -> list[nn.Module]:
        """Layers of Video Former and encoder."""
        return model.blocks()

    def loss(self, model: PolicyModel, batch: Batch, step: StepInfo) -> tuple[Tensor, Metrics]:
        """The loss of a batch of :class:`PolicyItems`."""
        actions = batch["actions"]
        drawn = draw_policy_randomness(batch["seed"], tuple(actions.shape[1:]), actions.device)
        features, state = self.features_of(batch), state_of(batch)
        outputs = policy_objective(model, features, batch["goal"], actions, drawn, self.objective, state)
        return outputs.loss, dict(outputs.metrics())

    @torch.no_grad()
    def features_of(self, batch: Batch) -> Tensor:
        """Stored or just computed features (B, F, N, C) of a batch, on its device."""
        if "features" in batch:
            return features_of_items(batch["features"])
        latents = batch["latents"]
        reader = self._reader_on(str(latents.device))
        text = reader.model.encode_text(batch["ids"], batch["mask"])
        return features_of_items(reader.observe_told(latents, text, batch["seed"].tolist()))

    @cached_property
    def _readers(self) -> dict[str, FeatureReader]:
        return {}

    def _reader_on(self, device: str) -> FeatureReader:
        """The frozen video model on a device; it is no part of the model."""
        checkpoint, sight = self.seen.checkpoint, self.seen.video_model
        assert checkpoint is not None and sight is not None
        if device not in self._readers:
            self._readers[device] = FeatureReader.load(checkpoint, sight.read, device)
        return self._readers[device]

    def on_split(self, split: str) -> "PolicyTask | None":
        """The same on the items of another split; None if it has none."""
        there = table_of_split(FrameStore(self.frames), split, self.items)
        return None if there is None else self.model_copy(update={"split": split})

    def fixed_items(self, count: int) -> list[ItemKey]:
        """So many items, spread over the data set, always the same."""
        length = len(self.table())
        places = np.linspace(0, length - 1, min(count, length)).astype(int)
        return [(0, int(place)) for place in places]

    @torch.no_grad()
    def sampled_actions(self, model: PolicyModel, items: Sequence[ItemKey]) -> SampledActions:
        """Chunks for items, always from the same noise.

        Args:
            model: In evaluation mode.
            items: Which, as (epoch, index).
        """
        dataset, truth, sampled = self.build_dataset(), [], []
        predictor, device = ActionPredictor(model, self.sampling), next(model.parameters()).device
        for start in range(0, len(items), _SAMPLED_AT_ONCE):
            samples = [dataset[item] for item in items[start : start + _SAMPLED_AT_ONCE]]
            batch = move_to(default_collate(samples), device)
            features, seeds = self.features_of(batch), batch["seed"].tolist()
            sampled.append(predictor.act(features, batch["goal"], seeds, state_of(batch)).cpu())
            truth.append(batch["actions"].cpu())
        texts = [dataset.items.place(index).text for _, index in items]
        return SampledActions(torch.cat(truth), torch.cat(sampled), texts)

    def pictures(self, model: PolicyModel) -> dict[str, Image]:
        """Chunks of a few held-out items, or of training items if none are held out."""
        return {"actions": self.actions_picture(model)}

    def actions_picture(self, model: PolicyModel) -> Image:
        """What was done and what the policy would do, number by number."""
        shown = self.on_split(HELD_OUT) or self
        return chunk_sheet(*shown.sampled_actions(model, shown.fixed_items(_SHOWN_ITEMS)))


def features_of_items(features: Tensor) -> Tensor:
    """Features (B, V, F, C, h, w) of V views of each item to (B, F, N, C) float32, the places in a row."""
    return features_of_views(features.movedim(1, 0).flatten(0, 1).float(), features.shape[1])


def state_of(batch: Batch) -> Tensor | None:
    """The state (B, 1, S) of a batch; None where the policy does not see it."""
    return batch["state"].unsqueeze(1) if "state" in batch else None
