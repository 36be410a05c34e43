"""Clips packed into tar archives, from which frames are read in place.

Object stores and cluster file systems handle few large files better than many small ones. The archives are
plain: members are named as WebDataset expects (what comes before the first dot of the name is the key), and
``tar -xf`` gives the clips back.
"""

import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from vidrep_pipelines.data.video.packet_index import FileStamp, PacketIndex
from vidrep_pipelines.data.video.stored_video import StoredVideo

ARCHIVE_SUFFIX = ".tar"


def member_name(clip: str, suffix: str) -> str:
    """Name of a clip in an archive. Dots in the clip's own name are escaped: WebDataset cuts names there."""
    path = PurePosixPath(clip)
    return str(path.with_name(path.name.replace("%", "%25").replace(".", "%2E") + suffix))


def pack_clips(
    clips: Sequence[tuple[str, Path, PacketIndex]], archive: Path
) -> Iterator[tuple[str, str, PacketIndex]]:
    """Writes clips into an archive, whose bytes follow from theirs alone.

    Args:
        clips: Name, file and packet index of each.
        archive: The file to write.

    Returns:
        Name, name of the member, and packet index for reading the clip inside the archive. They are to be
        gone through to the end: the archive is complete only then.
    """
    packed: list[tuple[str, str, StoredVideo, PacketIndex]] = []
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        for clip, path, index in clips:
            member = tarfile.TarInfo(member_name(clip, path.suffix))
            member.size, member.mode = path.stat().st_size, 0o644
            with path.open("rb") as file:
                tar.addfile(member, file)
            start = tar.offset - _padded(member.size)
            packed.append((clip, member.name, StoredVideo(archive, start, member.size), index))
    for clip, name, stored, index in packed:
        yield clip, name, _moved(index, stored)


def _moved(index: PacketIndex, stored: StoredVideo) -> PacketIndex:
    """The index of the same video at another place."""
    offsets = index.offsets - index.stamp.start + stored.start
    return replace(index, offsets=offsets, stamp=FileStamp.of(stored))


def _padded(size: int) -> int:
    """Bytes that a member's data takes in an archive: whole blocks."""
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
