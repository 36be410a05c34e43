"""What heads of cloned behavior see: an encoder's features, the exact state, or nothing but the robot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from vidrep_pipelines.adapters.encoders import EncoderSource, image_encoder_on
from vidrep_pipelines.common.arrays import Pixels, SingleArray
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.area_resize import resize_frame
from vidrep_pipelines.data.transforms import normalize
from vidrep_pipelines.evaluation.encoders.config import PixelEncoderConfig
from vidrep_pipelines.evaluation.encoders.protocol import ImageEncoder, ShowsClassToken
from vidrep_pipelines.evaluation.label_propagation.frame_features import device_of_sequence
from vidrep_pipelines.evaluation.label_propagation.settings import DeviceName
from vidrep_pipelines.evaluation.robot_cloning.blind_environment import BlindMaker, replayed_states
from vidrep_pipelines.evaluation.robot_cloning.cloned_policy import Look
from vidrep_pipelines.evaluation.robot_cloning.config import RobotEvaluationConfig, RobotFeatureConfig
from vidrep_pipelines.evaluation.robot_cloning.demonstrations import Demonstration, opened_store
from vidrep_pipelines.evaluation.robot_cloning.head_training import FRAME_FEATURE_SUFFIX, DemonstrationStore
from vidrep_pipelines.evaluation.robot_cloning.robot_worlds import RobotWorld
from vidrep_pipelines.evaluation.rollouts.protocol import Observation
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.devices import gpus_to_use, limited_to_gpus
from vidrep_pipelines.fanout.job import Item, Job, Scalar

_EXTRACTION = 1
"""Version of what equal inputs lead to: raised when the code that computes it changes its results."""
_BATCH = 64


class RobotInput(FrozenConfig):
    """What a head sees."""

    name: str
    """How reports call it."""

    kind: Literal["encoder", "proprioception", "state"]
    """An encoder's features; nothing but what the robot feels; the exact state of the scene."""

    encoder: EncoderSource | None = None
    """Which encoder."""

    @property
    def extracted(self) -> bool:
        """Whether there are features to compute."""
        return self.kind != "proprioception"


def robot_inputs(encoders: Sequence[EncoderSource], config: RobotEvaluationConfig) -> list[RobotInput]:
    """The encoders, then floors and the ceiling that is learned.

    Raises:
        ConfigurationError: An encoder has the name of one of these.
    """
    others = [kind for kind in (*config.floors, *config.ceilings) if kind != "expert"]
    if taken := [source.name for source in encoders if source.name in (*others, "expert")]:
        raise ConfigurationError(f"encoders.known: {taken[0]} is what eval_robot calls something else.")
    seeing = [RobotInput(name=source.name, kind="encoder", encoder=source) for source in encoders]
    return seeing + [RobotInput(name=kind, kind=kind) for kind in others]


@dataclass(frozen=True)
class FrameEmbedder:
    """One vector of features for each frame, by an encoder.

    Attributes:
        encoder: On the device.
        pixels: Whether it is the floor that sees colors alone.
        config: What is taken of it.
        device: Where it is.
    """

    encoder: ImageEncoder
    pixels: bool
    config: RobotFeatureConfig
    device: torch.device

    @torch.inference_mode()
    def __call__(self, frames: Pixels) -> SingleArray:
        """(N, H, W, 3) uint8 to (N, D).

        Raises:
            InputError: Features are not finite.
        """
        if self.pixels:
            side = self.config.pixel_grid
            colors = np.stack([resize_frame(frame, side, side) for frame in frames])
            return colors.reshape(len(frames), -1).astype(np.float32) / np.float32(255)
        parts = [self._embed(frames[first : first + _BATCH]) for first in range(0, len(frames), _BATCH)]
        features: SingleArray = torch.cat(parts).cpu().numpy()
        if not np.isfinite(features).all():
            raise InputError(f"Features of {self.encoder.name} are not finite; check the encoder's weights.")
        return features

    def _embed(self, frames: Pixels) -> Tensor:
        pictures = torch.from_numpy(np.ascontiguousarray(frames)).movedim(-1, -3).to(self.device)
        images = normalize(pictures, self.encoder.mean, self.encoder.std)
        size = [self._side(side) for side in images.shape[-2:]]
        if size != list(images.shape[-2:]):
            images = interpolate(images, size, mode="bicubic", antialias=True)
        if self.config.feature == "class_token" and isinstance(self.encoder, ShowsClassToken):
            return self.encoder.class_features(images).float()
        features = self.encoder.patch_features(images).float()
        return adaptive_avg_pool2d(features, min(self.config.token_grid, *features.shape[-2:])).flatten(1)

    def _side(self, stored: int) -> int:
        wanted, stride = self.config.image_size or stored, self.encoder.stride
        return max(round(wanted / stride), 1) * stride


def embedder_of(source: EncoderSource, config: RobotFeatureConfig, device: torch.device) -> FrameEmbedder:
    """What embeds frames.

    Raises:
        ConfigurationError: The encoder needs several frames.
        InputError: Its weights cannot be read or do not fit.
    """
    pixels = isinstance(source.config, PixelEncoderConfig)
    return FrameEmbedder(image_encoder_on(source, device), pixels, config, device)


def looking(seen: RobotInput, config: RobotFeatureConfig, camera: str, device: torch.device) -> Look:
    """What a policy on an input looks at in an observation."""
    if seen.encoder is not None:
        embedder = embedder_of(seen.encoder, config, device)
        return lambda observed: embedder(np.stack([one.pictures[camera] for one in observed]))
    return _exact if seen.kind == "state" else _nothing


def _exact(observed: Sequence[Observation]) -> SingleArray:
    return np.stack([one.state for one in observed]).astype(np.float32)


def _nothing(observed: Sequence[Observation]) -> SingleArray:
    return np.zeros((len(observed), 0), np.float32)


@dataclass(frozen=True)
class FrameFeatureItem:
    """One demonstration for one input.

    Attributes:
        seen: The input.
        demonstration: Which.
        store: Where its frames are.
        config: What is taken of an encoder.
        world: Where its actions are replayed for exact states.
        device: Where features are computed.
        number: Of the item; it deals items to GPUs.
    """

    seen: RobotInput
    demonstration: Demonstration
    store: DemonstrationStore
    config: RobotFeatureConfig
    world: RobotWorld
    device: DeviceName
    number: int

    @property
    def digest(self) -> str:
        """Changes with the frames, the encoder and what is taken of it; or with what is simulated."""
        shown = digest_of(_EXTRACTION, self.demonstration.digest)
        if self.seen.encoder is None:
            return digest_of(shown, dict(self.world.maker.identity))
        return digest_of(shown, self.seen.encoder.digest, self.config)


def frame_feature_job(
    inputs: Sequence[RobotInput],
    demonstrations: Mapping[str, Sequence[Demonstration]],
    store: DemonstrationStore,
    world: RobotWorld,
    config: RobotEvaluationConfig,
    fanout: FanOutConfig,
) -> Job:
    """One item per input and demonstration; heads and their settings extract nothing again.

    Args:
        inputs: What heads see.
        demonstrations: By task.
        store: Where their frames are.
        world: Where actions are replayed for exact states.
        config: What is taken of encoders.
        fanout: How items are executed.
    """
    shown = [one for episodes in demonstrations.values() for one in episodes]
    requests = [
        FrameFeatureItem(seen, one, store, config.features, world, config.device, number)
        for seen in inputs
        if seen.extracted
        for number, one in enumerate(shown)
    ]
    items = [Item(f"{one.seen.name}/{one.demonstration.view}", one, one.digest) for one in requests]
    fanout = limited_to_gpus(fanout, gpus_to_use(config.device), config.workers_per_gpu)
    return Job(
        "demonstration features", extract_demonstration, items, (FRAME_FEATURE_SUFFIX,), fanout.trying_again()
    )


def extract_demonstration(item: FrameFeatureItem, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Writes the features (T, D) of the frames of a demonstration.

    Raises:
        InputError: Its frames cannot be read, or features are not finite.
        ConfigurationError: Its recorded actions do not do their task again.
    """
    store, view = opened_store(item.store.folder, item.store.digest), item.demonstration.view
    if item.seen.encoder is None:
        start = item.world.start_of(item.demonstration)
        environment = BlindMaker(item.world.maker, exact=True).make()
        try:
            states = replayed_states(environment, start, store.actions(view).astype(np.float64))
        finally:
            environment.close()
        features = states.astype(np.float32)
    else:
        device = device_of_sequence(item.device, item.number)
        features = embedder_of(item.seen.encoder, item.config, device)(store.frames(view))
    with outputs[FRAME_FEATURE_SUFFIX].open("wb") as file:
        np.save(file, features, allow_pickle=False)
    frames, dimension = features.shape
    return {"frames": frames, "dimension": dimension}
