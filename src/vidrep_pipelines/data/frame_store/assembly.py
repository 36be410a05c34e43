"""Assembles one shard from prepared episodes. Nothing is decoded any more: bytes are copied."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.digest import digest_of_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.contiguous import ContiguousArray
from vidrep_pipelines.data.frame_store.plan import Member, ShardRequest
from vidrep_pipelines.data.frame_store.shard import (
    FRAMES,
    MASK,
    SHARD_SUFFIX,
    VERSION_STAMP,
    View,
    read_views,
    write_shard,
)


def assemble_shard(request: ShardRequest, outputs: Mapping[str, Path]) -> dict[str, str | int]:
    """Copies the views of the members into one file.

    Args:
        request: The shard.
        outputs: Where the shard (".h5") goes.

    Returns:
        One row: split, views, frames, content_digest (of the file's bytes).

    Raises:
        InputError: A member is missing or damaged, or members do not fit together.
    """
    members = [(member, read_views(member.path)) for member in request.members]
    views = [all_views[row] for member, all_views in members for row in member.rows]
    path = outputs[SHARD_SUFFIX]
    attributes = {**request.attributes, VERSION_STAMP: request.digest}
    pictures, masks = _pictures(members, request.size), _masks(members, request.size)
    write_shard(path, views, pictures, request.size, attributes, masks)
    return {
        "split": request.split,
        "views": len(views),
        "frames": sum(view.frames for view in views),
        "content_digest": digest_of_file(path),
    }


def _require_content(member: Member) -> None:
    """No damaged frame gets into a store: the bytes have to be those that were written."""
    if member.checksum is not None and digest_of_file(member.path) != member.checksum:
        raise InputError(
            f"{member.path} is damaged: its content is not what was written. Remedy: delete it and run the "
            "pipeline again, which prepares this episode anew."
        )


def _pictures(members: list[tuple[Member, list[View]]], size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """Yields (T, H, W, 3) per view, or the record of its film; one member is open at a time."""
    for member, views in members:
        frames = ContiguousArray(member.path, FRAMES)
        try:
            stored = _stored_size(frames)
            if stored != size:
                raise InputError(
                    f"{member.path} holds frames of {stored}, the shard is for {size}. "
                    "Remedy: prepare the episode again."
                )
            _require_content(member)
            starts = np.cumsum([0, *(view.rows for view in views)]).tolist()
            for row in member.rows:
                yield frames.read(starts[row], starts[row + 1])
        finally:
            frames.close()


def _stored_size(frames: ContiguousArray) -> tuple[int, int]:
    """(H, W) of pictures (N, H, W, 3), or as written beside films."""
    if len(frames.shape) == 4:
        return frames.shape[1], frames.shape[2]
    return int(frames.attributes["height"]), int(frames.attributes["width"])


def _masks(members: list[tuple[Member, list[View]]], size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """Yields (T, H, W) per view that has masks; the members' content was compared with the pictures."""
    for member, views in members:
        if not any(views[row].masks for row in member.rows):
            continue
        masks = ContiguousArray(member.path, MASK)
        try:
            starts = np.cumsum([0, *(view.masks for view in views)]).tolist()
            if masks.shape != (starts[-1], *size):
                raise InputError(
                    f"{member.path} holds masks of {masks.shape}, the shard is for {(starts[-1], *size)}. "
                    "Remedy: prepare the episode again."
                )
            for row in member.rows:
                if views[row].masks:
                    yield masks.read(starts[row], starts[row + 1])
        finally:
            masks.close()
