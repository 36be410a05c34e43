"""Nodes of the resize stage."""

from vidrep_pipelines.data.clips.config import TarShardsConfig
from vidrep_pipelines.data.tables.table import Rows
from vidrep_pipelines.data.video.profiles import ResizeConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.parts import Parts
from vidrep_pipelines.pipelines.video_items import outcomes, video_items


def resize_videos(index: Rows, resize: ResizeConfig, fanout: FanOutConfig) -> Job:
    """One item per video; its digest covers the file and the parameters: what changed is redone."""
    from vidrep_pipelines.data.files.local_copy import resize_source
    from vidrep_pipelines.data.video.items import CLIP_SUFFIX, INDEX_SUFFIX

    items = video_items(index, lambda path: (path, resize), resize)
    return Job("resize", resize_source, items, (CLIP_SUFFIX, INDEX_SUFFIX), fanout)


def index_resized(index: Rows, resized: Parts) -> Rows:
    """Every raw video with the outcome of resizing it."""
    from vidrep_pipelines.data.clips.index import build_resized_index

    return build_resized_index(index, outcomes(resized))


_CLIPS_PER_PART = 16_384
"""Their packet indices take some 40 MB; a part is made again when one of its clips changes."""


def build_packet_store(resized: Parts, fanout: FanOutConfig) -> Job:
    """One item per part of the store; its digest covers its clips: only parts with other clips are redone.

    A clip that was made again from the same video is another clip when its bytes are others.
    """
    from vidrep_pipelines.data.video.packet_store import STORE_SUFFIX
    from vidrep_pipelines.data.video.store_items import TABLE_SUFFIX, store_part_item

    items = _items(resized, _CLIPS_PER_PART)
    suffixes = (STORE_SUFFIX, TABLE_SUFFIX)
    return Job("packet store", store_part_item, items, suffixes, fanout.trying_again())


def pack_tar_shards(resized: Parts, tar_shards: TarShardsConfig, fanout: FanOutConfig) -> Job:
    """One item per tar archive, with the packet indices of its clips beside it."""
    from vidrep_pipelines.data.video.packet_store import STORE_SUFFIX
    from vidrep_pipelines.data.video.store_items import TABLE_SUFFIX, tar_shard_item
    from vidrep_pipelines.data.video.tar_shard import ARCHIVE_SUFFIX

    suffixes = (ARCHIVE_SUFFIX, STORE_SUFFIX, TABLE_SUFFIX)
    items = _items(resized, tar_shards.clips_per_shard)
    return Job("tar shards", tar_shard_item, items, suffixes, fanout.trying_again())


def _items(resized: Parts, clips_per_part: int) -> list[Item]:
    from vidrep_pipelines.data.video.items import CLIP_SUFFIX, INDEX_SUFFIX
    from vidrep_pipelines.data.video.store_items import part_payloads

    digests = {clip: resized.digests[clip] for clip in resized.ids}
    indices = resized.checksums(INDEX_SUFFIX)
    checksums = {clip: (clip_sum, indices[clip]) for clip, clip_sum in resized.checksums(CLIP_SUFFIX).items()}
    payloads = part_payloads(resized.folder, digests, checksums, clips_per_part)
    return [Item(payload.name, payload, digest) for payload, digest in payloads]
