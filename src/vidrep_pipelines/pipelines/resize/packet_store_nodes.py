"""Nodes that gather what resizing left beside each clip into few large files."""

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.data.config import TarShardsConfig
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job
from vidrep_pipelines.fanout.parts import Parts

_CLIPS_PER_PART = 16_384
"""Their packet indices take some 40 MB; a part is made again when one of its clips changes."""


def build_packet_store(resized: Parts, fanout: FanOutConfig) -> Job:
    """One item per part of the store; its digest covers its clips: only parts with other clips are redone."""
    from vidrep_pipelines.data.video.packet_store import STORE_SUFFIX
    from vidrep_pipelines.data.video.store_items import TABLE_SUFFIX, store_part_item

    items = _items(resized, _CLIPS_PER_PART)
    return Job("packet store", store_part_item, items, (STORE_SUFFIX, TABLE_SUFFIX), fanout)


def pack_tar_shards(resized: Parts, tar_shards: TarShardsConfig, fanout: FanOutConfig) -> Job:
    """One item per tar archive, with the packet indices of its clips beside it."""
    from vidrep_pipelines.data.video.packet_store import STORE_SUFFIX
    from vidrep_pipelines.data.video.store_items import TABLE_SUFFIX, tar_shard_item
    from vidrep_pipelines.data.video.tar_shard import ARCHIVE_SUFFIX

    suffixes = (ARCHIVE_SUFFIX, STORE_SUFFIX, TABLE_SUFFIX)
    return Job("tar shards", tar_shard_item, _items(resized, tar_shards.clips_per_shard), suffixes, fanout)


def _items(resized: Parts, clips_per_part: int) -> list[Item]:
    from vidrep_pipelines.data.video.packet_store import part_count, split_into_parts

    finished = resized.table[resized.table["status"] == "ok"]
    digests = dict(zip(finished["id"], finished["digest"], strict=True))
    parts = split_into_parts(sorted(digests), part_count(len(digests), clips_per_part))
    return [
        Item(
            id=name,
            payload=(name, str(resized.folder), clips),
            digest=digest_of([(clip, digests[clip]) for clip in clips]),
        )
        for name, clips in parts.items()
    ]
