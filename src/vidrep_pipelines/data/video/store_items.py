"""The packet store and the tar archives as the fan-out makes them: one part, its products, its facts."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.video.errors import UnindexableVideoError, UnreadableVideoError
from vidrep_pipelines.data.video.items import CLIP_SUFFIX, INDEX_SUFFIX
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.packet_index_file import load_packet_index
from vidrep_pipelines.data.video.packet_store import STORE_SUFFIX
from vidrep_pipelines.data.video.packet_store_part import write_part
from vidrep_pipelines.data.video.tar_shard import ARCHIVE_SUFFIX, pack_clips

TABLE_SUFFIX = ".parquet"

Facts = dict[str, int]
PartPayload = tuple[str, str, list[str]]
"""Name of the part, the folder of resized clips, and the names of those that belong to the part."""

_log = logging.getLogger(__name__)


def store_part_item(payload: PartPayload, outputs: Mapping[str, Path]) -> Facts:
    """Collects the packet indices that lie beside the clips into one part of the store."""
    _, folder, clips = payload
    entries = [(clip, f"{clip}{CLIP_SUFFIX}", index) for clip, _, index in _indexed(folder, clips)]
    return _write(entries, outputs, missing=len(clips) - len(entries))


def tar_shard_item(payload: PartPayload, outputs: Mapping[str, Path]) -> Facts:
    """Packs clips into one archive, with their packet indices in a part of a store beside it."""
    name, folder, clips = payload
    packed = pack_clips(list(_indexed(folder, clips)), outputs[ARCHIVE_SUFFIX])
    entries = [(clip, f"{name}{ARCHIVE_SUFFIX}/{member}", index) for clip, member, index in packed]
    return _write(entries, outputs, missing=len(clips) - len(entries))


def _indexed(folder: str, clips: Iterable[str]) -> Iterator[tuple[str, Path, PacketIndex]]:
    """The clips that can be read, each with an index that describes the file as it is."""
    for clip in clips:
        path = Path(folder) / f"{clip}{CLIP_SUFFIX}"
        try:
            yield clip, path, _fresh_index(path, Path(folder) / f"{clip}{INDEX_SUFFIX}")
        except UnreadableVideoError as error:
            _log.warning("A clip is left out of the packet store. %s", error)


def _fresh_index(clip: Path, sidecar: Path) -> PacketIndex:
    try:
        index = load_packet_index(sidecar)
        if index.stamp.matches(clip):
            return index
    except (InputError, OSError) as error:
        _log.info("%s The clip is indexed again.", error)
    try:
        return PacketIndex.of_clip(clip)
    except UnindexableVideoError as error:
        _log.info("%s It is decoded to be indexed.", error)
    index = PacketIndex.build(clip)
    if index.damage:
        raise UnreadableVideoError(f"{clip}: {index.damage}.")
    return index


def _write(entries: list[tuple[str, str, PacketIndex]], outputs: Mapping[str, Path], missing: int) -> Facts:
    write_part(((clip, index) for clip, _, index in entries), outputs[STORE_SUFFIX])
    rows = [_row(*entry) for entry in entries]
    columns = {name: pa.array([row[name] for row in rows], kind) for name, kind in _COLUMNS.items()}
    pq.write_table(pa.table(columns), outputs[TABLE_SUFFIX], compression="zstd")
    return {"clips": len(entries), "missing": missing, "packets": sum(row["packets"] for row in rows)}


_COLUMNS: dict[str, pa.DataType] = {
    "id": pa.large_string(),
    "path": pa.large_string(),
    "start": pa.int64(),
    "bytes": pa.int64(),
    "frames": pa.int64(),
    "packets": pa.int64(),
    "keyframe_interval": pa.int64(),
    "codec": pa.string(),
    "width": pa.int32(),
    "height": pa.int32(),
    "frames_per_second": pa.float64(),
    "duration_seconds": pa.float64(),
}


def _row(clip: str, path: str, index: PacketIndex) -> dict[str, Any]:
    """The clip in the table that people and data frames read."""
    keyframes = np.flatnonzero(index.keyframes)
    rate = index.frames_per_second
    return {
        "id": clip,
        "path": path,
        "start": index.stamp.start,
        "bytes": index.stamp.bytes,
        "frames": index.frames,
        "packets": len(index.sizes),
        "keyframe_interval": int(np.diff([*keyframes, len(index.sizes)]).max()),
        "codec": index.codec,
        "width": index.width,
        "height": index.height,
        "frames_per_second": rate,
        "duration_seconds": index.frames / rate if rate else float(index.seconds[-1]),
    }
