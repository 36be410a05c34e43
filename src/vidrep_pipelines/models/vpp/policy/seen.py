"""Where the features come from that a policy sees: stored beside the frames, or computed while training."""

from pathlib import Path
from typing import Self

from pydantic import model_validator

from vidrep_pipelines.common.config import FrozenConfig
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.models.vpp.policy.feature_plan import (
    FEATURES,
    FeatureSources,
    features_digest,
    video_features_shape,
)
from vidrep_pipelines.models.vpp.policy.features_config import (
    FeaturesShape,
    FeatureStoreConfig,
    PolicyFeaturesConfig,
)


class VideoModelSight(FrozenConfig):
    """How a policy looks through a video model; published with it, so that a robot sees the same."""

    checkpoint: str
    """Digest of the video model's checkpoint."""

    codec: str
    """Digest of what makes latents of pictures for it."""

    read: PolicyFeaturesConfig
    """How features are read off it."""


class SeenFeatures(FrozenConfig):
    """The features of a store's pictures."""

    digest: str
    """Changes with what made them, and with how they are read."""

    shape: FeaturesShape
    """(F, C, h, w) of one picture."""

    content: str
    """Changes with the pictures, too."""

    stored: Path | None = None
    """Folder of the features beside the frames. None: they are computed while training."""

    latents: Path | None = None
    """Folder of the latents that they are computed from."""

    checkpoint: Path | None = None
    """Folder of the video model that computes them."""

    video_model: VideoModelSight | None = None
    """What a robot needs to see the same. None: features of something else than a video model."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        """They are stored, or can be computed."""
        if self.stored is None and None in (self.latents, self.checkpoint, self.video_model):
            raise ValueError("seen: features that are not stored need latents, a checkpoint and video_model")
        return self


def seen_through_video_model(
    sources: FeatureSources, features: FrameArrayStore, config: FeatureStoreConfig
) -> SeenFeatures:
    """What a policy sees through a video model.

    Args:
        sources: The model, its codec, frames and latents.
        features: What is stored beside the frames; not looked at if nothing is to be stored.
        config: What is read and kept.

    Raises:
        InputError: The stored features are missing, or of another model or another way of reading it.
        ConfigurationError: The model has no such features.
    """
    latents = sources.latents
    assert latents is not None
    latents_digest = sources.codec.digest if config.from_frames else latents.model_digest
    digest = features_digest(sources.checkpoint.digest, latents_digest, config)
    read = PolicyFeaturesConfig.model_validate(
        config.model_dump(include=set(PolicyFeaturesConfig.model_fields))
    )
    sight = VideoModelSight(checkpoint=sources.checkpoint.digest, codec=sources.codec.digest, read=read)
    shape = video_features_shape(sources, config)
    if not config.store:
        return SeenFeatures(
            digest=digest,
            shape=shape,
            content=digest_of(latents.content_digest, digest),
            latents=latents.folder.absolute(),
            checkpoint=sources.checkpoint.directory.absolute(),
            video_model=sight,
        )
    return stored_features(features, digest).model_copy(update={"video_model": sight})


def stored_features(features: FrameArrayStore, digest: str) -> SeenFeatures:
    """Features beside frames, whoever made them.

    Args:
        features: The arrays.
        digest: What must have made them.

    Raises:
        InputError: There are none, or something else made them.
    """
    spec = features.specs.get(FEATURES)
    if spec is None or len(spec.shape) != 4 or features.model_digest != digest:
        raise InputError(
            f"{features.folder} holds no features, or those of another model or another way of reading it. "
            "Remedy: run latent_extraction_vpp_features again."
        )
    F, C, h, w = spec.shape
    return SeenFeatures(
        digest=digest,
        shape=(F, C, h, w),
        content=features.content_digest,
        stored=features.folder.absolute(),
    )
