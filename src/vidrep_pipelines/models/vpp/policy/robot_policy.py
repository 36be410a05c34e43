"""A trained policy as a robot uses it: pictures, an instruction and the state in, commands out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from vidrep_pipelines.common.arrays import FloatArray, Pixels
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.config import FramesConfig
from vidrep_pipelines.data.frame_store.resize_rules import resized_picture
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.policy.actions import ActionCoding
from vidrep_pipelines.models.vpp.policy.config import ActionSamplingConfig, GoalConfig
from vidrep_pipelines.models.vpp.policy.features import FeatureReader
from vidrep_pipelines.models.vpp.policy.features_config import FeatureNoiseConfig, FeaturesShape
from vidrep_pipelines.models.vpp.policy.goal import GoalEncoder, goal_encoder
from vidrep_pipelines.models.vpp.policy.inference import ActionPredictor, load_policy_model
from vidrep_pipelines.models.vpp.policy.items_config import PolicyItemsConfig
from vidrep_pipelines.models.vpp.policy.seen import VideoModelSight
from vidrep_pipelines.models.vpp.policy.statistics import PolicyStatistics, action_coding, state_coding
from vidrep_pipelines.models.vpp.policy.units import StateCoding
from vidrep_pipelines.models.vpp.policy.video_former import features_of_views
from vidrep_pipelines.models.vpp.video.codec import Codec, load_codec, to_pictures


class PublishedSight(FrozenConfig):
    """What a policy was trained to look at, as its checkpoint says."""

    digest: str
    """Changes with what makes the features, and with how they are read."""

    shape: FeaturesShape
    """(F, C, h, w) of one picture."""

    video_model: VideoModelSight | None
    """None: features of something else than a video model."""


class PublishedPolicyConfig(FrozenConfig):
    """What the checkpoint of a policy says beside its architecture."""

    goal: GoalConfig
    """How instructions become goals."""

    items: PolicyItemsConfig
    """What was learned from."""

    statistics: PolicyStatistics
    """What normalizes actions and states."""

    seen: PublishedSight
    """What it looks at."""

    pictures_resized: FramesConfig
    """How pictures become those that it was trained on."""

    sampling: ActionSamplingConfig = ActionSamplingConfig()
    """How its actions were sampled when it was measured. Checkpoints before it was kept: as published."""

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Self:
        """Reads it.

        Raises:
            InputError: It is no checkpoint of a policy.
        """
        known = {name: checkpoint.config[name] for name in cls.model_fields if name in checkpoint.config}
        try:
            return cls.model_validate(known)
        except ValidationError as error:
            wrong = ", ".join(str(one["loc"][0]) for one in error.errors())
            raise InputError(
                f"{checkpoint.directory} holds no policy that a robot could use: its configuration lacks "
                f"{wrong}. Remedy: run pretrain_vpp_policy."
            ) from error


class PictureFeatures(Protocol):
    """What turns pictures into what a policy looks at: a video model, or any image encoder."""

    @property
    def digest(self) -> str:
        """Changes with the weights, and with how features are read."""

    def __call__(self, pictures: Tensor, texts: Sequence[str], seeds: Sequence[int]) -> Tensor:
        """Features of what V cameras see at B moments.

        Args:
            pictures: (B, V, H, W, 3) uint8, of the size that the policy was trained on.
            texts: B instructions.
            seeds: B seeds of noise, for what needs some.

        Returns:
            (B, V, F, C, h, w).
        """


@dataclass(frozen=True)
class VideoModelFeatures:
    """Features of a video model: a :class:`PictureFeatures`.

    Attributes:
        reader: The model, and what is read off it.
        codec: What makes latents of pictures, on the same device.
        digest: That of the features that policies were trained on.
    """

    reader: FeatureReader
    codec: Codec
    digest: str

    @classmethod
    def load(
        cls,
        policy: Checkpoint,
        video_model: Path,
        codec: Path,
        device: torch.device | str = "cpu",
        noise: FeatureNoiseConfig | None = None,
    ) -> Self:
        """Loads what a policy was trained to look through.

        Args:
            policy: The policy's checkpoint.
            video_model: Folder of the video model.
            codec: Folder of what makes latents of pictures for it.
            device: Where to compute.
            noise: Behind which noise features are read. None: as in training; its draws are then drawn anew.

        Raises:
            InputError: The policy was trained with another video model or codec.
            ConfigurationError: The policy looks at something else than a video model.
        """
        seen = PublishedPolicyConfig.of(policy).seen
        if seen.video_model is None:
            raise ConfigurationError(
                f"The policy in {policy.directory} looks at no video model. Remedy: evaluate it with the "
                "encoder that it was trained on."
            )
        _require_digest(Checkpoint.of(video_model), seen.video_model.checkpoint, policy, "video model")
        _require_digest(Checkpoint.of(codec), seen.video_model.codec, policy, "codec")
        read = seen.video_model.read
        config = read if noise is None else read.model_copy(update={"noise": noise})
        reader = FeatureReader.load(video_model, config, str(device))
        return cls(reader, load_codec(codec, device), seen.digest)

    @torch.inference_mode()
    def __call__(self, pictures: Tensor, texts: Sequence[str], seeds: Sequence[int]) -> Tensor:
        """See :class:`PictureFeatures`."""
        flat = to_pictures(pictures.flatten(0, 1).to(self.reader.device))
        latents = self.codec.encode(flat)
        return self.reader.observe(latents.reshape(*pictures.shape[:2], *latents.shape[1:]), texts, seeds)


def _require_digest(found: Checkpoint, expected: str, policy: Checkpoint, what: str) -> None:
    if found.digest != expected:
        raise InputError(
            f"The policy in {policy.directory} was trained with another {what} than that in "
            f"{found.directory}. Remedy: run pretrain_vpp_policy again, or name the one it was trained with."
        )


@dataclass(frozen=True)
class RobotPolicy:
    """Plans commands from pictures.

    Attributes:
        predictor: The trained network and how it is sampled.
        features: What makes features of pictures.
        goals: What makes goals of instructions.
        actions: What its outputs stand for.
        state: What it sees of the robot's state. None: nothing.
        pictures: Size and rule of the pictures that it was trained on.
    """

    predictor: ActionPredictor
    features: PictureFeatures
    goals: GoalEncoder
    actions: ActionCoding
    state: StateCoding | None
    pictures: FramesConfig

    @classmethod
    def load(
        cls,
        checkpoint: Checkpoint,
        features: PictureFeatures,
        sampling: ActionSamplingConfig | None = None,
        device: torch.device | str = "cpu",
    ) -> Self:
        """Loads a policy of the catalog.

        Args:
            checkpoint: The policy.
            features: What makes features of pictures; those that it was trained on.
            sampling: How actions are made. None: as when the policy was measured in its training.
            device: Where to compute.

        Raises:
            InputError: It is no checkpoint of a policy, or was trained on other features.
        """
        published = PublishedPolicyConfig.of(checkpoint)
        if features.digest != published.seen.digest:
            raise InputError(
                f"The policy in {checkpoint.directory} was trained on other features than it is given. "
                "Remedy: give those, or run pretrain_vpp_policy again."
            )
        model = load_policy_model(checkpoint).to(device)
        learned, statistics = published.items.actions, published.statistics
        sees_state = model.config.denoiser.proprioception is not None
        return cls(
            predictor=ActionPredictor(model, sampling or published.sampling),
            features=features,
            goals=goal_encoder(published.goal, device),
            actions=action_coding(learned, statistics),
            state=state_coding(learned, statistics) if sees_state else None,
            pictures=published.pictures_resized,
        )

    @property
    def chunk_length(self) -> int:
        """A, actions of a plan."""
        return self.predictor.model.config.denoiser.chunk

    @torch.inference_mode()
    def plan(
        self,
        pictures: Sequence[Sequence[Pixels]],
        texts: Sequence[str],
        states: Sequence[FloatArray],
        seeds: Sequence[int],
    ) -> FloatArray:
        """Commands for B moments.

        Args:
            pictures: B times what each of the V cameras sees, (h, w, 3) uint8 of any size.
            texts: B instructions.
            states: B states (S,) of the robot. Numbers behind those that were trained on, such as CALVIN's
                of the scene, are not looked at.
            seeds: B seeds of the noise.

        Returns:
            (B, A, D) commands, float64.

        Raises:
            InputError: There are other numbers of things, a word is unknown, or a state is too short.
        """
        seen = self.features(self._resized(pictures), texts, seeds)
        features = features_of_views(seen.movedim(1, 0).flatten(0, 1).float(), seen.shape[1])
        known = [self._known(state) for state in states]
        encoded = None if self.state is None else self._encoded(known)
        chunks = self.predictor.act(features, self.goals(texts), seeds, encoded).double().cpu().numpy()
        return np.stack([self.actions.decode(one, state) for one, state in zip(chunks, known, strict=True)])

    def _resized(self, pictures: Sequence[Sequence[Pixels]]) -> Tensor:
        rows = [np.stack([resized_picture(one, self.pictures) for one in views]) for views in pictures]
        return torch.from_numpy(np.stack(rows))

    def _encoded(self, states: Sequence[FloatArray]) -> Tensor:
        assert self.state is not None
        rows: Any = np.stack([self.state.encode(state) for state in states])
        return torch.from_numpy(rows).float().unsqueeze(1)

    def _known(self, state: FloatArray) -> FloatArray:
        """The numbers of a state that were there in training; all where nothing says how many."""
        units = None if self.state is None else self.state.units
        return state if units is None else state[: units.size]
