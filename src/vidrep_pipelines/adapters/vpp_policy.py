"""A trained policy as rollouts see it: made in worker processes, and asked for chunks of actions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from vidrep_pipelines.common.arrays import FloatArray, Pixels
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.resize_rules import resized_picture
from vidrep_pipelines.evaluation.rollouts.protocol import PlanRequest
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.shared.trained import loaded_once
from vidrep_pipelines.models.shared.units import channels_last, to_bytes
from vidrep_pipelines.models.vpp.policy.config import ActionSamplingConfig
from vidrep_pipelines.models.vpp.policy.features_config import FeatureNoiseConfig
from vidrep_pipelines.models.vpp.policy.model import PolicyModel
from vidrep_pipelines.models.vpp.policy.robot_policy import RobotPolicy, VideoModelFeatures
from vidrep_pipelines.models.vpp.video.config import VideoSamplingConfig
from vidrep_pipelines.models.vpp.video.inference import VideoPredictor


class PicturePolicy:
    """A policy that sees through cameras, as rollouts ask it: a ``ChunkPolicy``.

    Args:
        policy: What plans.
        cameras: Names of the environment's cameras, in the order of the views that it was trained on.
    """

    def __init__(self, policy: RobotPolicy, cameras: Sequence[str]) -> None:
        self._policy, self._cameras = policy, tuple(cameras)

    @property
    def chunk_length(self) -> int:
        """Actions of a plan."""
        return self._policy.chunk_length

    def plan(self, requests: Sequence[PlanRequest]) -> FloatArray:
        """(B, T, A) commands.

        Raises:
            InputError: An observation lacks a camera, or the policy cannot be told the instruction.
        """
        observed = [request.observation for request in requests]
        absent = sorted(
            {camera for one in observed for camera in self._cameras if camera not in one.pictures}
        )
        if absent:
            raise InputError(
                f"There is no picture of the camera {absent[0]!r}, but of {sorted(observed[0].pictures)}. "
                "Remedy: name the environment's cameras in the order in which the policy was trained on them."
            )
        return self._policy.plan(
            [[one.pictures[camera] for camera in self._cameras] for one in observed],
            [request.instruction for request in requests],
            [one.state for one in observed],
            [request.seed for request in requests],
        )


class ImaginingPolicy(PicturePolicy):
    """The same for films: it also shows the video that its video model predicts.

    Args:
        policy: What plans.
        cameras: As for :class:`PicturePolicy`; what the first of them sees is continued.
        predictor: The video model.
        sampling: How it predicts.
    """

    def __init__(
        self,
        policy: RobotPolicy,
        cameras: Sequence[str],
        predictor: VideoPredictor,
        sampling: VideoSamplingConfig,
    ) -> None:
        super().__init__(policy, cameras)
        self._predictor, self._sampling = predictor, sampling

    def imagine(self, requests: Sequence[PlanRequest]) -> Pixels:
        """(B, F, H, W, 3) uint8 of what the first camera is about to see."""
        seen = [request.observation.pictures[self._cameras[0]] for request in requests]
        pictures = np.stack([resized_picture(one, self._policy.pictures) for one in seen])
        first = torch.from_numpy(pictures).movedim(-1, 1).float() / 255
        texts, seeds = [one.instruction for one in requests], [one.seed for one in requests]
        videos = self._predictor.predict(first, texts, seeds, self._sampling)
        frames = channels_last(to_bytes(videos.flatten(0, 1)))
        return frames.reshape(*videos.shape[:2], *frames.shape[1:])


@dataclass(frozen=True)
class VppPolicyMaker:
    """Makes a trained policy in worker processes, where it is kept.

    Attributes:
        policy: Folder of the policy's checkpoint.
        video_model: Folder of the video model that it looks through.
        codec: Folder of what makes latents of pictures.
        cameras: Names of the environment's cameras, in the order of the policy's views.
        sampling: How actions are sampled. None: as when the policy was measured in its training.
        device: ``cpu`` or a CUDA device.
        noise: Behind which noise features are read. None: as in training.
        untrained: The same architecture with random weights: a floor.
        imagination: For films, how the video model predicts what the policy is about to see; no action
            depends on it. None: nothing is imagined.
    """

    policy: Path
    video_model: Path
    codec: Path
    cameras: tuple[str, ...]
    sampling: ActionSamplingConfig | None = None
    device: str = "cpu"
    noise: FeatureNoiseConfig | None = None
    untrained: bool = False
    imagination: VideoSamplingConfig | None = None

    @classmethod
    def of(
        cls,
        policy: Checkpoint,
        video_model: Checkpoint,
        codec: Checkpoint,
        cameras: Sequence[str],
        device: str = "cpu",
    ) -> Self:
        """The same of what the catalog has."""
        return cls(
            policy=policy.directory.absolute(),
            video_model=video_model.directory.absolute(),
            codec=codec.directory.absolute(),
            cameras=tuple(cameras),
            device=device,
        )

    @property
    def identity(self) -> Mapping[str, Any]:
        """Digests of all weights, and how they are used."""
        return {
            "policy": Checkpoint.of(self.policy).digest,
            "video_model": Checkpoint.of(self.video_model).digest,
            "codec": Checkpoint.of(self.codec).digest,
            "cameras": list(self.cameras),
            "sampling": None if self.sampling is None else self.sampling.model_dump(mode="json"),
            "noise": None if self.noise is None else self.noise.model_dump(mode="json"),
            "untrained": self.untrained,
        }

    def make(self) -> PicturePolicy:
        """The policy.

        Raises:
            InputError: A checkpoint is damaged, or they do not belong together.
        """
        version = Checkpoint.of(self.policy).digest
        policy = loaded_once(_load_policy, self, version, self.device)
        if self.imagination is None:
            return PicturePolicy(policy, self.cameras)
        predictor = VideoPredictor.load(self.video_model, self.codec, self.device)
        return ImaginingPolicy(policy, self.cameras, predictor, self.imagination)


def _load_policy(maker: VppPolicyMaker, device: str) -> RobotPolicy:
    checkpoint = Checkpoint.checked(maker.policy)
    features = VideoModelFeatures.load(checkpoint, maker.video_model, maker.codec, device, maker.noise)
    policy = RobotPolicy.load(checkpoint, features, maker.sampling, device)
    if maker.untrained:
        _forget(policy.predictor.model)
    return policy


def _forget(model: PolicyModel) -> None:
    """Puts random weights in place of trained ones."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        model.load_state_dict(PolicyModel(model.config).state_dict())
