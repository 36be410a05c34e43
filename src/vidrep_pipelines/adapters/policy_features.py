"""What a policy can look at: a video model, trained or not, or any image encoder.

What is stored for training and what a robot sees are computed by the same object.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field, TypeAdapter
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from vidrep_pipelines.adapters.encoders import EncoderSource, image_encoder_on
from vidrep_pipelines.adapters.policy_ablation_config import (
    EncoderFeatureSet,
    PolicyAblationConfig,
    VideoFeatureSet,
)
from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.transforms import normalize
from vidrep_pipelines.evaluation.encoders.protocol import ImageEncoder
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.policy.feature_plan import (
    FeatureSources,
    require_same_codec,
    video_features_shape,
)
from vidrep_pipelines.models.vpp.policy.features import FeatureReader
from vidrep_pipelines.models.vpp.policy.features_config import (
    FeatureNoiseConfig,
    FeaturesShape,
    PolicyFeaturesConfig,
)
from vidrep_pipelines.models.vpp.policy.robot_policy import PictureFeatures, VideoModelFeatures
from vidrep_pipelines.models.vpp.policy.seen import VideoModelSight
from vidrep_pipelines.models.vpp.video.codec import load_codec
from vidrep_pipelines.models.vpp.video.inference import VideoPredictor, load_video_model
from vidrep_pipelines.models.vpp.video.model import VideoDiffusion
from vidrep_pipelines.models.vpp.video.text import text_tokenizer

_FEATURES = 1
"""Version of what equal sources lead to: raised when the code that computes features changes them."""

_SEED = 0
"""Seed of an untrained video model's weights."""


class VideoModelSource(FrozenConfig):
    """Features of a video model, computable in any process."""

    kind: Literal["video_model"] = "video_model"
    """Names this kind of source."""

    checkpoint: Path
    """Folder of the video model."""

    codec: Path
    """Folder of what makes latents of pictures for it."""

    sight: VideoModelSight
    """Digests of both, and how features are read."""

    untrained: bool = False
    """Random weights in place of trained ones."""

    updates: int
    """After how many updates the weights are those of their training; 0 without training."""

    shape: FeaturesShape
    """(F, C, h, w) of the features of one picture."""

    digest: str
    """Changes with the weights and with how features are read."""

    @property
    def noise(self) -> FeatureNoiseConfig:
        """Behind which features are read."""
        return self.sight.read.noise

    def make(self, device: str) -> PictureFeatures:
        """Loads what computes the features.

        Raises:
            InputError: A folder holds something else than it should.
        """
        model, frames = self._video_model()
        tokenizer = text_tokenizer(model.config.text)
        reader = FeatureReader(model.to(device), tokenizer, frames, self.sight.read)
        return VideoModelFeatures(reader, load_codec(self.codec, device), self.digest)

    def predictor(self, device: str) -> VideoPredictor:
        """The video model itself, which predicts videos.

        Raises:
            InputError: A folder holds something else than it should.
        """
        model, frames = self._video_model()
        tokenizer = text_tokenizer(model.config.text)
        return VideoPredictor(model.to(device), load_codec(self.codec, device), tokenizer, frames)

    def _video_model(self) -> tuple[VideoDiffusion, int]:
        model, frames = load_video_model(Checkpoint.of(self.checkpoint))
        return _untrained(model) if self.untrained else model, frames


def _untrained(model: VideoDiffusion) -> VideoDiffusion:
    """The same architecture as it is before training; a text model of others is read again."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return VideoDiffusion(model.config).eval()


class EncoderFeatureSource(FrozenConfig):
    """Features of an image encoder with their places, computable in any process."""

    kind: Literal["encoder"] = "encoder"
    """Names this kind of source."""

    encoder: EncoderSource
    """Where the encoder is."""

    grid: int | None
    """Rows and columns that its features are averaged over. None: as they are."""

    shape: FeaturesShape
    """(1, C + 2, h, w) of the features of one picture."""

    digest: str
    """Changes with the weights and with how features are read."""

    @property
    def noise(self) -> FeatureNoiseConfig:
        """None has an effect."""
        return FeatureNoiseConfig()

    def make(self, device: str) -> PictureFeatures:
        """Loads what computes the features.

        Raises:
            InputError: The encoder's weights cannot be read or do not fit.
        """
        encoder = image_encoder_on(self.encoder, torch.device(device))
        return EncoderFeatures(encoder, device, self.grid, self.digest)


FeatureSource = Annotated[VideoModelSource | EncoderFeatureSource, Field(discriminator="kind")]
_SOURCES: TypeAdapter[dict[str, FeatureSource]] = TypeAdapter(dict[str, FeatureSource])


def feature_sources_of(described: object) -> dict[str, VideoModelSource | EncoderFeatureSource]:
    """Sources by name, of plain data."""
    return _SOURCES.validate_python(described)


@dataclass(frozen=True)
class EncoderFeatures:
    """Features of an image encoder with their places: a :class:`~.robot_policy.PictureFeatures`.

    Attributes:
        encoder: On the device.
        device: Where it is.
        grid: Rows and columns that features are averaged over. None: as they are.
        digest: Of the features.
    """

    encoder: ImageEncoder
    device: str
    grid: int | None
    digest: str

    @torch.inference_mode()
    def __call__(self, pictures: Tensor, texts: Sequence[str], seeds: Sequence[int]) -> Tensor:
        """(B, V, H, W, 3) uint8 to (B, V, 1, C + 2, h, w); texts and seeds have no effect.

        Pictures whose sides are no multiples of the encoder's stride are resized to the nearest ones.
        """
        encoder, flat = self.encoder, pictures.flatten(0, 1).movedim(-1, -3).to(self.device)
        images = normalize(flat, encoder.mean, encoder.std)
        size = tuple(max(round(side / encoder.stride), 1) * encoder.stride for side in images.shape[-2:])
        if size != images.shape[-2:]:
            images = interpolate(images, size, mode="bilinear", antialias=True)
        features = encoder.patch_features(images).float()
        if self.grid is not None:
            features = adaptive_avg_pool2d(features, self.grid)
        placed = with_places(features)
        return placed.reshape(*pictures.shape[:2], 1, *placed.shape[1:])


def with_places(features: Tensor) -> Tensor:
    """Features (N, C, h, w) with two more channels (N, C + 2, h, w): where each is.

    To the right, then down, from -1 to 1 at the middles of the outermost features; 0 where there is one.
    """
    height, width = features.shape[-2:]
    down, right = torch.meshgrid(_steps(height), _steps(width), indexing="ij")
    places = torch.stack([right, down]).to(features).expand(len(features), 2, height, width)
    return torch.cat([features, places], dim=1)


def _steps(count: int) -> Tensor:
    return torch.linspace(-1, 1, count) if count > 1 else torch.zeros(1)


def ablation_sources(
    config: PolicyAblationConfig,
    video: FeatureSources,
    encoders: Sequence[EncoderSource],
    read: PolicyFeaturesConfig,
    earlier: Mapping[int, Checkpoint] | None = None,
) -> dict[str, VideoModelSource | EncoderFeatureSource]:
    """What computes each set of features that some policy looks at.

    Args:
        config: The sets.
        video: The video model, its codec, and the frames, of which the size counts.
        encoders: Those that can be had.
        read: How the video model is read where a set does not say it.
        earlier: The video model as it was before the end of its training, by updates. None: it is not asked
            for.

    Raises:
        ConfigurationError: An encoder is unknown, or the network has no such features.
        InputError: The video model was trained with another codec, or an encoder cannot be read.
    """
    known = {source.name: source for source in encoders}
    facts = video.store.facts
    found: dict[str, VideoModelSource | EncoderFeatureSource] = {}
    for name, features in config.features.items():
        if not config.policies_on(name):
            continue
        if isinstance(features, VideoFeatureSet):
            found[name] = _video_source(name, features, _after(features.updates, video, earlier or {}), read)
        elif features.encoder in known:
            found[name] = _encoder_source(features, known[features.encoder], (facts.height, facts.width))
        else:
            raise ConfigurationError(
                f"ablate_vpp_policy.features.{name} names the encoder {features.encoder!r}; there are "
                f"{', '.join(known) or 'none'}. Remedy: correct it, or add it to encoders.known and "
                "encoders.use."
            )
    return found


def updates_of(checkpoint: Checkpoint) -> int:
    """After how many updates of its training a checkpoint was made.

    Raises:
        InputError: It does not say so.
    """
    step = checkpoint.meta.get("step")
    if not isinstance(step, int):
        raise InputError(
            f"{checkpoint.directory} does not say after how many updates it was made. Remedy: run "
            "pretrain_vpp_video."
        )
    return step


def _after(updates: int | None, video: FeatureSources, earlier: Mapping[int, Checkpoint]) -> FeatureSources:
    """The same with the video model as it was after so many updates."""
    if updates is None or updates == updates_of(video.checkpoint):
        return video
    return video._replace(checkpoint=earlier[updates])


def _video_source(
    name: str, features: VideoFeatureSet, video: FeatureSources, read: PolicyFeaturesConfig
) -> VideoModelSource:
    checkpoint, codec = video.checkpoint, video.codec
    require_same_codec(checkpoint, codec.digest)
    fields = read.model_dump(include=set(PolicyFeaturesConfig.model_fields))
    own = features.model_dump(include={"reduction", "noise"}, exclude_none=True)
    wanted = PolicyFeaturesConfig.model_validate({**fields, **own})
    if wanted.noise.kind == "fresh":
        raise ConfigurationError(
            f"ablate_vpp_policy.features.{name}: fresh noise is drawn anew each time, so that its features "
            "cannot be stored. Remedy: set its noise.kind to fixed or draws."
        )
    sight = VideoModelSight(checkpoint=checkpoint.digest, codec=codec.digest, read=wanted)
    untrained = features.source == "untrained_video_model"
    return VideoModelSource(
        checkpoint=checkpoint.directory.absolute(),
        codec=codec.directory.absolute(),
        sight=sight,
        untrained=untrained,
        updates=0 if untrained else updates_of(checkpoint),
        shape=video_features_shape(video, wanted),
        digest=digest_of(_FEATURES, untrained, sight.model_dump(mode="json")),
    )


def _encoder_source(
    features: EncoderFeatureSet, encoder: EncoderSource, size: tuple[int, int]
) -> EncoderFeatureSource:
    digest = digest_of(_FEATURES, encoder.digest, features.grid)
    made = EncoderFeatures(image_encoder_on(encoder, torch.device("cpu")), "cpu", features.grid, digest)
    F, C, h, w = made(torch.zeros(1, 1, *size, 3, dtype=torch.uint8), ("",), (0,)).shape[2:]
    return EncoderFeatureSource(encoder=encoder, grid=features.grid, shape=(F, C, h, w), digest=digest)
