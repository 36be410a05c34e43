"""How much there is to compute before a policy can look through a video model, and its shards as requests.

The array ``features`` has K entries for each picture that a policy sees, one for each draw of the noise;
``feature_rows`` says of every frame where they begin and how many there are.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.data.frame_store.arrays import ArrayShardRequest, ArraySpec, array_requests
from vidrep_pipelines.data.frame_store.shard import SHARD_SUFFIX
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.models.shared.catalog_checkpoint import Checkpoint
from vidrep_pipelines.models.vpp.policy.features_config import (
    FeaturesShape,
    FeatureStoreConfig,
    PolicyFeaturesConfig,
    features_shape,
)
from vidrep_pipelines.models.vpp.policy.items import table_of_split
from vidrep_pipelines.models.vpp.policy.items_config import PolicyItemsConfig
from vidrep_pipelines.models.vpp.video.codec import codec_sizes
from vidrep_pipelines.models.vpp.video.config import ClipConfig, VideoModelConfig

FEATURES = "features"
"""Name of the array: (F, C, h, w) per entry."""

FEATURE_ROWS = "feature_rows"
"""Name of the array: first entry and number of entries of every frame; (0, 0) where there are none."""

_GIBIBYTE = 2**30
_log = logging.getLogger(__name__)


class FeatureSources(NamedTuple):
    """What features are made of."""

    checkpoint: Checkpoint
    """The video model."""
    codec: Checkpoint
    """What made the latents that it was trained on."""
    store: FrameStore
    """The frames."""
    latents: FrameArrayStore | None
    """Their latents. None: they are encoded again."""


@dataclass(frozen=True)
class FeaturePlan:
    """How much will be stored, known before the start.

    Attributes:
        items: Items by split.
        pictures: Pictures that they see, each counted once, by split.
        draws: K, draws of noise for each picture.
        spec: What is kept of one of them.
    """

    items: dict[str, int]
    pictures: dict[str, int]
    draws: int
    spec: ArraySpec

    @property
    def picture_bytes(self) -> int:
        """Bytes of one draw of one picture."""
        return int(np.prod(self.spec.shape)) * np.dtype(self.spec.dtype).itemsize

    @property
    def total_bytes(self) -> int:
        """Bytes of all."""
        return sum(self.pictures.values()) * self.draws * self.picture_bytes

    def text(self) -> str:
        """For people: "1400 items see 1400 pictures; ..."."""
        total = f"{self.total_bytes / _GIBIBYTE:,.3f} GiB"
        return (
            f"{sum(self.items.values())} items see {sum(self.pictures.values())} pictures; {self.draws} "
            f"draw(s) of {self.spec.shape} {self.spec.dtype} for each, {self.picture_bytes / 1024:,.1f} KiB "
            f"apiece, are {total}"
        )


@dataclass(frozen=True)
class FeaturesRequest:
    """What extracting the features of one shard needs.

    Attributes:
        arrays: The shard of frames, and what is made of it.
        model: Folder of the video model.
        model_digest: Its digest, so that a process that outlives a training never uses the old one.
        codec: Folder of the codec.
        latents: File of the frames' latents; none: they are encoded again.
        latents_digest: What must have made them.
        rows: Frames of the shard that get features, rising.
        told: Which of ``texts`` each of them is seen under.
        texts: The instructions.
        config: How.
        device: ``cpu``, or ``cuda`` for any of the machine's GPUs.
        number: The shard's number; it deals shards to GPUs.
    """

    arrays: ArrayShardRequest
    model: Path
    model_digest: str
    codec: Path
    latents: Path | None
    latents_digest: str
    rows: tuple[int, ...]
    told: tuple[int, ...]
    texts: tuple[str, ...]
    config: FeatureStoreConfig
    device: str
    number: int

    @property
    def id(self) -> str:
        """Path of the shard below the store, without suffix."""
        return self.arrays.id

    @property
    def digest(self) -> str:
        """Changes with the frames, the model, how it is read, and which frames are seen under which text."""
        return digest_of(self.arrays.digest, self.rows, self.told, self.texts)


def feature_requests(
    sources: FeatureSources, items: PolicyItemsConfig, config: FeatureStoreConfig, device: str
) -> tuple[list[FeaturesRequest], FeaturePlan]:
    """What to compute, one request per shard, and how much that is, which is logged.

    Args:
        sources: What features are made of.
        items: What the policy sees.
        config: How.
        device: ``cpu``, or ``cuda`` for any of the machine's GPUs.

    Raises:
        ConfigurationError: Fresh noise cannot be stored, it would be too much, or the network has no such
            features.
        InputError: The sources do not belong together, or a frame is seen under two instructions.
    """
    if config.noise.kind == "fresh":
        raise ConfigurationError(
            "Fresh noise is drawn anew each time, so that its features cannot be stored. Remedy: set "
            "vpp_features.noise.kind to fixed or draws, or let the policy's training compute features."
        )
    codec_digest = sources.codec.digest
    require_same_codec(sources.checkpoint, codec_digest)
    spec = ArraySpec(FEATURES, config.dtype, video_features_shape(sources, config), per="entry")
    seen = seen_frames(sources.store, items, config.splits)
    plan = FeaturePlan(seen.items, seen.pictures, config.noise.draws, spec)
    _log.info("vpp_features: %s.", plan.text())
    if plan.total_bytes > config.limit_gibibytes * _GIBIBYTE:
        raise ConfigurationError(
            f"vpp_features: {plan.text()}, more than limit_gibibytes: {config.limit_gibibytes:g}. Remedy: a "
            "coarser reduction.grid, fewer reduction.frames, a larger policy_items.items.rule.every or fewer "
            "noise.draws; or raise vpp_features.limit_gibibytes."
        )
    requests = _requests(sources, config, spec, codec_digest, device)
    return [_with_frames(request, seen.shards.get(request.id, {}), plan.draws) for request in requests], plan


def features_digest(model_digest: str, latents_digest: str, config: FeatureStoreConfig) -> str:
    """What stored features say of where they are from (``FrameArrayStore.model_digest``).

    Args:
        model_digest: Of the video model's checkpoint.
        latents_digest: Of what made the latents: ``latents.model_digest``, or the codec's if frames are
            encoded again.
        config: How they are read and kept.
    """
    return digest_of(FEATURES, model_digest, latents_digest, config.in_digests)


def require_same_codec(checkpoint: Checkpoint, codec_digest: str) -> None:
    """Checks that a video model is given latents of the codec that it was trained with.

    Raises:
        InputError: It was trained with another one.
    """
    trained_with = checkpoint.config.get("codec")
    if trained_with is not None and trained_with != codec_digest:
        raise InputError(
            f"The video model in {checkpoint.directory} was trained with another codec. Remedy: run "
            "pretrain_vpp_video again, or name the codec that it was trained with."
        )


def video_features_shape(sources: FeatureSources, config: PolicyFeaturesConfig) -> FeaturesShape:
    """(F, C, h, w) of what is kept of a picture of the store, known without the network.

    Raises:
        InputError: The checkpoint is not that of a video model.
        ConfigurationError: The network has no such features.
    """
    try:
        model = VideoModelConfig.model_validate(sources.checkpoint.config["model"])
        frames = ClipConfig.model_validate(sources.checkpoint.config["clips"]).frames
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{sources.checkpoint.directory} holds no checkpoint of a video model ({error}). Remedy: run "
            "pretrain_vpp_video."
        ) from error
    factor, facts = codec_sizes(sources.codec).factor, sources.store.facts
    size = (facts.height // factor, facts.width // factor)
    return features_shape(model.unet, config, frames, size)


class SeenFrames(NamedTuple):
    """What of a store items see."""

    shards: dict[str, dict[int, str]]
    """By shard, without suffix: the instruction under which each of its rows is seen."""
    items: dict[str, int]
    """Items by split."""
    pictures: dict[str, int]
    """Pictures that they see, each counted once, by split."""


def seen_frames(store: FrameStore, items: PolicyItemsConfig, splits: Sequence[str]) -> SeenFrames:
    """Which frames of a store items see, and under which instruction.

    Args:
        store: The frames.
        items: Which moments a policy learns from.
        splits: Parts of the store that are looked at.

    Raises:
        ConfigurationError: None is seen.
        InputError: A frame is seen under two instructions.
    """
    seen: dict[str, dict[int, str]] = {}
    counts, pictures = dict[str, int](), dict[str, int]()
    for split in splits:
        table = table_of_split(store, split, items)
        if table is None:
            _log.warning("vpp_features: no picture of the split %s is seen.", split)
            continue
        rows = table.observed_frames()
        counts[split], pictures[split] = len(table), len(rows)
        for view, frame, text in rows.itertuples(index=False):
            shard, start, _ = table.store.index.frames(view)
            seen.setdefault(shard.removesuffix(SHARD_SUFFIX), {})[start + frame] = text
    if not seen:
        raise ConfigurationError(
            f"Nothing of {store.folder} is seen by an item. Remedy: change policy_items.items, or "
            f"vpp_features.splits {list(splits)}."
        )
    return SeenFrames(seen, counts, pictures)


def _requests(
    sources: FeatureSources, config: FeatureStoreConfig, spec: ArraySpec, codec_digest: str, device: str
) -> Iterator[FeaturesRequest]:
    latents = None if config.from_frames else sources.latents
    latents_digest = codec_digest if latents is None else latents.model_digest
    model_digest = sources.checkpoint.digest
    made_by = features_digest(model_digest, latents_digest, config)
    rows = ArraySpec(FEATURE_ROWS, "int64", (2,))
    shards = array_requests(sources.store, [rows, spec], made_by)
    for number, shard in enumerate(sorted(shards, key=lambda shard: shard.id)):
        yield FeaturesRequest(
            arrays=shard,
            model=sources.checkpoint.directory.absolute(),
            model_digest=model_digest,
            codec=sources.codec.directory.absolute(),
            latents=None if latents is None else (latents.folder / f"{shard.id}{SHARD_SUFFIX}").absolute(),
            latents_digest=latents_digest,
            rows=(),
            told=(),
            texts=(),
            config=config,
            device=device,
            number=number,
        )


class ToldRows(NamedTuple):
    """The frames of a shard that get features, and what the robot was told in them."""

    rows: tuple[int, ...]
    """Their numbers in the shard, rising."""
    told: tuple[int, ...]
    """Which of ``texts`` each of them is seen under."""
    texts: tuple[str, ...]
    """The instructions."""

    @classmethod
    def of(cls, seen: Mapping[int, str]) -> "ToldRows":
        """Of the instruction by row."""
        texts = tuple(sorted(set(seen.values())))
        number = {text: place for place, text in enumerate(texts)}
        rows = tuple(sorted(seen))
        return cls(rows, tuple(number[seen[row]] for row in rows), texts)


def _with_frames(request: FeaturesRequest, seen: Mapping[int, str], draws: int) -> FeaturesRequest:
    rows, told, texts = ToldRows.of(seen)
    arrays = replace(request.arrays, entries=draws * len(rows))
    return replace(request, arrays=arrays, rows=rows, told=told, texts=texts)
