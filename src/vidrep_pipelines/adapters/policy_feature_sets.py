"""Several sets of features of the same pictures, stored beside the frames as ``feature_store`` has them."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from vidrep_pipelines.adapters.policy_ablation_config import PolicyAblationConfig
from vidrep_pipelines.adapters.policy_features import EncoderFeatureSource, VideoModelSource
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import ConfigurationError, InputError
from vidrep_pipelines.common.seeds import seed_for
from vidrep_pipelines.data.frame_store.array_store import FrameArrayStore
from vidrep_pipelines.data.frame_store.arrays import ArrayShardRequest, ArraySpec, array_requests, array_shard
from vidrep_pipelines.data.frame_store.contiguous import StoredRows
from vidrep_pipelines.data.frame_store.film_frames import open_frames
from vidrep_pipelines.data.frame_store.shard import SHARD_SUFFIX
from vidrep_pipelines.data.frame_store.store import FrameStore
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.devices import device_of_item
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.models.shared.trained import loaded_once
from vidrep_pipelines.models.vpp.policy.feature_plan import (
    FEATURE_ROWS,
    FEATURES,
    FeaturePlan,
    ToldRows,
    seen_frames,
)
from vidrep_pipelines.models.vpp.policy.feature_store import parts_of, rows_of_frames
from vidrep_pipelines.models.vpp.policy.features import require_finite_features
from vidrep_pipelines.models.vpp.policy.features_config import FeatureStoreConfig
from vidrep_pipelines.models.vpp.policy.items_config import PolicyItemsConfig
from vidrep_pipelines.models.vpp.policy.robot_policy import PictureFeatures
from vidrep_pipelines.models.vpp.policy.seen import SeenFeatures, stored_features

_GIBIBYTE = 2**30
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FeatureSetRequest:
    """What the features of one set and one shard need.

    Attributes:
        name: Of the set; its features are in a folder of that name.
        source: What computes them.
        arrays: The shard of frames, and what is made of it.
        seen: Its frames that are seen.
        batch_size: Pictures that are computed at once.
        device: ``cpu``, or ``cuda`` for any of the machine's GPUs.
        number: Of the item; it deals items to GPUs.
    """

    name: str
    source: VideoModelSource | EncoderFeatureSource
    arrays: ArrayShardRequest
    seen: ToldRows
    batch_size: int
    device: str
    number: int

    @property
    def id(self) -> str:
        """Path of the product, without suffix."""
        return f"{self.name}/{self.arrays.id}"

    @property
    def digest(self) -> str:
        """Changes with the frames, what computes features, and which frames are seen under which text."""
        return digest_of(self.arrays.digest, *self.seen)


def feature_sets_job(
    sources: Mapping[str, VideoModelSource | EncoderFeatureSource],
    store: FrameStore,
    items: PolicyItemsConfig,
    ablation: PolicyAblationConfig,
    config: FeatureStoreConfig,
    device: str,
    fanout: FanOutConfig,
) -> Job:
    """One item per set and shard: features of all that is seen by the policies that look at the set.

    Args:
        sources: What computes each set.
        store: The frames.
        items: What policies learn from, but for the number of demonstrations.
        ablation: The policies.
        config: Type, splits, pictures at once, and the limit of each set.
        device: ``cpu``, or ``cuda`` for any of the machine's GPUs.
        fanout: How items are executed.

    Raises:
        ConfigurationError: A set would be larger than the limit, or nothing is seen.
        InputError: A frame is seen under two instructions.
    """
    requests = list[FeatureSetRequest]()
    for name, source in sources.items():
        wanted = items.model_copy(update={"episodes": most_episodes(ablation, name, items)})
        seen = seen_frames(store, wanted, config.splits)
        spec = ArraySpec(FEATURES, config.dtype, source.shape, per="entry")
        draws = source.noise.draws
        _require_room(name, FeaturePlan(seen.items, seen.pictures, draws, spec), config.limit_gibibytes)
        specs = [ArraySpec(FEATURE_ROWS, "int64", (2,)), spec]
        for arrays in sorted(array_requests(store, specs, source.digest), key=lambda shard: shard.id):
            told = ToldRows.of(seen.shards.get(arrays.id, {}))
            whole = replace(arrays, entries=draws * len(told.rows))
            number = len(requests)
            requests.append(FeatureSetRequest(name, source, whole, told, config.batch_size, device, number))
    done = [Item(request.id, request, request.digest) for request in requests]
    return Job("feature sets", extract_feature_set, done, (SHARD_SUFFIX,), fanout.trying_again())


def most_episodes(ablation: PolicyAblationConfig, name: str, items: PolicyItemsConfig) -> int | None:
    """Demonstrations that the policies on a set of features see; those of fewer are among them."""
    counts = [policy.episodes or items.episodes for policy in ablation.policies_on(name)]
    known = [count for count in counts if count is not None]
    return max(known) if known and len(known) == len(counts) else None


def _require_room(name: str, plan: FeaturePlan, limit: float) -> None:
    _log.info("ablate_vpp_policy.features.%s: %s.", name, plan.text())
    if plan.total_bytes > limit * _GIBIBYTE:
        raise ConfigurationError(
            f"ablate_vpp_policy.features.{name}: {plan.text()}, more than vpp_features.limit_gibibytes: "
            f"{limit:g}. Remedy: a coarser grid or fewer draws for this set; or raise that limit."
        )


def extract_feature_set(request: FeatureSetRequest, outputs: Mapping[str, Path]) -> dict[str, int]:
    """Writes the features of a shard.

    Returns:
        One row: pictures, and entries of features.

    Raises:
        InputError: The shard or what computes features cannot be read, or features are not finite.
    """
    draws, rows = request.source.noise.draws, request.seen.rows
    device = device_of_item(request.device, request.number)
    with (
        array_shard(outputs[SHARD_SUFFIX], request.arrays) as writer,
        closing(open_frames(request.arrays.frames)) as frames,
    ):
        writer.append(FEATURE_ROWS, rows_of_frames(rows, writer.length(FEATURE_ROWS), draws))
        for features in _features_in_parts(request, frames, device):
            writer.append(FEATURES, features)
    return {"pictures": len(rows), "entries": draws * len(rows)}


def _features_in_parts(
    request: FeatureSetRequest, frames: StoredRows, device: str
) -> Iterator[NDArray[np.floating]]:
    """(n K, F, C, h, w) of n pictures each: all draws of a picture one after the other."""
    source, (rows, told, texts) = request.source, request.seen
    for part in parts_of(len(rows), request.batch_size):
        made = loaded_once(_made, source, source.digest, device)
        pictures = torch.from_numpy(frames.read_rows(np.array(rows[part], np.int64)))[:, None]
        asked = [texts[number] for number in told[part]]
        drawn = []
        for draw in range(source.noise.draws):
            seeds = [seed_for(source.noise.seed, request.arrays.id, row, draw) for row in rows[part]]
            drawn.append(made(pictures, asked, seeds)[:, 0])
        features = torch.stack(drawn, dim=1).flatten(0, 1)
        dtype = request.arrays.specs[1].dtype
        stored = features.to(getattr(torch, dtype))
        require_finite_features(stored, f"{request.id}, pictures {part.start}..{part.stop}")
        found: NDArray[np.floating] = stored.cpu().numpy()
        yield found


def _made(source: VideoModelSource | EncoderFeatureSource, device: str) -> PictureFeatures:
    return source.make(device)


def seen_features_of_set(
    name: str, source: VideoModelSource | EncoderFeatureSource, parts: Parts, store: FrameStore
) -> SeenFeatures:
    """What a policy that is trained on a set sees.

    Args:
        name: Of the set.
        source: What computed it.
        parts: All sets.
        store: The frames.

    Raises:
        InputError: A shard has no features, or other ones.
    """
    failed = parts.failed[parts.failed["id"].str.startswith(f"{name}/")]
    if len(failed):
        raise InputError(
            f"{len(failed)} shards got no features {name}; {failed['id'].iloc[0]}: "
            f"{failed['error'].iloc[0]}. Remedy: mend it and run again; what is done is kept."
        )
    seen = stored_features(FrameArrayStore(parts.folder / name, store), source.digest)
    if isinstance(source, VideoModelSource) and not source.untrained:
        return seen.model_copy(update={"video_model": source.sight})
    return seen
