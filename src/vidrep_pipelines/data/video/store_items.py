"""The packet store and the tar archives as the fan-out makes them: one part, its products, its facts."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vidrep_pipelines.common.digest import digest_of, digest_of_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.partial_facts import PartialFacts, Scalar
from vidrep_pipelines.data.video.errors import UnindexableVideoError, UnreadableVideoError
from vidrep_pipelines.data.video.items import CLIP_SUFFIX, INDEX_SUFFIX
from vidrep_pipelines.data.video.packet_index import PacketIndex
from vidrep_pipelines.data.video.packet_index_file import load_packet_index
from vidrep_pipelines.data.video.packet_store import STORE_SUFFIX, part_count, split_into_parts
from vidrep_pipelines.data.video.packet_store_part import write_part
from vidrep_pipelines.data.video.tar_shard import ARCHIVE_SUFFIX, pack_clips

TABLE_SUFFIX = ".parquet"

Facts = dict[str, Scalar]


class PartPayload(NamedTuple):
    """What making one part needs.

    Attributes:
        name: Name of the part.
        folder: Folder of the resized clips.
        clips: Names of those that belong to the part.
        checksums: Digests of a clip and of its packet index by the clip's name, as they were
            written; clips of earlier versions have none.
    """

    name: str
    folder: str
    clips: list[str]
    checksums: Mapping[str, tuple[str, str]] = {}


_log = logging.getLogger(__name__)


def part_payloads(
    folder: Path,
    digests: Mapping[str, str],
    checksums: Mapping[str, tuple[str, str]],
    clips_per_part: int,
) -> Iterator[tuple[PartPayload, str]]:
    """Deals clips to parts by their names.

    Args:
        folder: Folder of the resized clips.
        digests: What each clip was made from, by its name.
        checksums: Digests of a clip and of its packet index as they were written, by the clip's name; clips
            of earlier versions have none.
        clips_per_part: How many clips a part holds on the average, at most.

    Yields:
        What making a part needs, and a digest that changes when one of its clips does.
    """
    for name, clips in split_into_parts(sorted(digests), part_count(len(digests), clips_per_part)).items():
        written = {clip: checksums[clip] for clip in clips if clip in checksums}
        content = [(clip, digests[clip], *written.get(clip, ())[:1]) for clip in clips]
        yield PartPayload(name, str(folder), clips, written), digest_of(content)


def store_part_item(payload: PartPayload, outputs: Mapping[str, Path]) -> Facts:
    """Collects the packet indices that lie beside the clips into one part of the store."""
    entries = [(clip, f"{clip}{CLIP_SUFFIX}", index) for clip, _, index in _indexed(payload)]
    return _write(entries, outputs, payload)


def tar_shard_item(payload: PartPayload, outputs: Mapping[str, Path]) -> Facts:
    """Packs clips into one archive, with their packet indices in a part of a store beside it.

    No damaged clip gets into an archive: each is compared with the checksum that was taken when it was made.
    """
    packed = pack_clips(list(_indexed(payload, check_clips=True)), outputs[ARCHIVE_SUFFIX])
    entries = [(clip, f"{payload.name}{ARCHIVE_SUFFIX}/{member}", index) for clip, member, index in packed]
    return _write(entries, outputs, payload)


def _indexed(payload: PartPayload, *, check_clips: bool = False) -> Iterator[tuple[str, Path, PacketIndex]]:
    """The clips that can be read, each with an index that describes the file as it is."""
    folder = Path(payload.folder)
    for clip in payload.clips:
        path, sidecar = folder / f"{clip}{CLIP_SUFFIX}", folder / f"{clip}{INDEX_SUFFIX}"
        clip_digest, index_digest = payload.checksums.get(clip, (None, None))
        try:
            if check_clips and clip_digest is not None:
                _require_content(path, clip_digest)
            yield clip, path, _fresh_index(path, sidecar, index_digest)
        except UnreadableVideoError as error:
            _log.warning("A clip is left out of the packet store. %s", error)


def _require_content(path: Path, digest: str) -> None:
    try:
        actual = digest_of_file(path)
    except OSError as error:
        raise UnreadableVideoError(f"{path}: {error.strerror}.") from error
    if actual != digest:
        raise UnreadableVideoError(f"{path}: its content is not what was written.")


def _fresh_index(clip: Path, sidecar: Path, digest: str | None) -> PacketIndex:
    try:
        if digest is not None and digest_of_file(sidecar) != digest:
            raise InputError(f"{sidecar}: its content is not what was written.")
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


def _write(
    entries: list[tuple[str, str, PacketIndex]], outputs: Mapping[str, Path], payload: PartPayload
) -> Facts:
    """Writes index and table. A part without a clip that ought to be there is made again by the next run."""
    write_part(((clip, index) for clip, _, index in entries), outputs[STORE_SUFFIX])
    rows = [_row(*entry) for entry in entries]
    columns = {name: pa.array([row[name] for row in rows], kind) for name, kind in _COLUMNS.items()}
    pq.write_table(pa.table(columns), outputs[TABLE_SUFFIX], compression="zstd")
    missing = sorted(set(payload.clips) - {clip for clip, _, _ in entries})
    packets = sum(row["packets"] for row in rows)
    facts: Facts = {"clips": len(entries), "missing": len(missing), "packets": packets}
    return PartialFacts(facts, _lacking(payload, missing)) if missing else facts


def _lacking(payload: PartPayload, missing: list[str]) -> str:
    example = Path(payload.folder) / f"{missing[0]}{CLIP_SUFFIX}"
    return (
        f"{len(missing)} of {len(payload.clips)} clips are gone or damaged, such as {example}. "
        "Remedy: delete them and run the pipeline again, which makes them and this part anew."
    )


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
