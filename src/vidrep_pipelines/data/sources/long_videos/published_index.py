"""The pickled lists that converted releases come with: where each video is, and its labels."""

import io
import math
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch._utils import _rebuild_tensor_v2

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_number import whole_number, whole_numbers
from vidrep_pipelines.common.pickle_bounds import check_saved_tensors
from vidrep_pipelines.common.restricted_pickle import encoded_bytes, load_restricted_pickle
from vidrep_pipelines.data.frame_store.video_episode import VideoEpisode
from vidrep_pipelines.data.sources.long_videos.video import UNLABELLED, Labels, LeftOut, LongVideo, LongVideos

_rebuild: Callable[..., torch.Tensor] = _rebuild_tensor_v2


def _storage(content: bytes) -> Any:
    """A tensor's memory; it is a file of its own inside the pickle, and just as little trusted."""
    check_saved_tensors(io.BytesIO(content))
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _array(
    storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *rest: object
) -> NDArray[Any]:
    """The values of a tensor, read-only; whether gradients were wanted does not matter any more."""
    del rest
    last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
    there = storage._untyped_storage.nbytes() // storage.dtype.itemsize  # asking the storage itself warns
    if 0 not in size and not 0 <= offset <= last < there:  # torch would enlarge the memory
        raise pickle.UnpicklingError(f"a tensor reaches beyond its memory of {there} numbers")
    if math.prod(size) > max(there, 1):  # one number that stands for very many
        raise pickle.UnpicklingError(f"a tensor of shape {size} is made of {there} numbers")
    tensor: torch.Tensor = _rebuild(storage, offset, size, stride, False, OrderedDict())
    values: NDArray[Any] = tensor.numpy()
    values.flags.writeable = False  # many may share their memory, which is cheap only while none is copied
    return values


_STAND_INS: Mapping[tuple[str, str], Callable[..., Any]] = MappingProxyType(
    {
        ("torch._utils", "_rebuild_tensor_v2"): _array,
        ("torch.storage", "_load_from_bytes"): _storage,
        ("collections", "OrderedDict"): OrderedDict,
        ("_codecs", "encode"): encoded_bytes,
    }
)


def load_tensor_pickle(path: Path) -> Any:
    """Reads a pickle of plain data and CPU tensors, which become arrays.

    Raises:
        InputError: The file is damaged or something else in its place, or asks for anything else (then
            nothing was executed).
    """
    return load_restricted_pickle(
        path, _STAND_INS, "Only containers, strings, numbers and tensors are accepted."
    )


_LARGEST_LABEL = np.iinfo(np.int16).max
"""What the index of labels can hold; the number of classes is checked when a video is labelled."""


@dataclass(frozen=True, eq=False)
class IndexedVideo:
    """One entry of a list.

    Attributes:
        name: Its name.
        file: Path of the video relative to the folder of the list.
        frames: Number of its frames, as the list says.
        labels: (T,) label of each frame.
        action_label: Number of its action or event; -1 if the list gives none.
    """

    name: str
    file: PurePosixPath
    frames: int
    labels: Labels
    action_label: int


@dataclass(frozen=True)
class IndexForm:
    """What the lists of a data set mean.

    Attributes:
        lists: Name of the list of each split.
        classes: Number of labels; for each action where they have phases of their own.
        actions: Names of the actions by number; none where entries have none.
        phases: Whether labels are phases.
    """

    lists: dict[str, str]
    classes: tuple[int, ...]
    actions: tuple[str, ...]
    phases: bool


def read_index(path: Path) -> list[IndexedVideo]:
    """Reads a list (Pouring, FineGym), or a pair of a list and positions by action (PennAction).

    The stored ids are positions in a list from which videos may have been dropped; they are not used.

    Raises:
        InputError: The file is missing, damaged, asks to run code, or an entry lacks something.
    """
    content = load_tensor_pickle(path)
    rows = content[0] if isinstance(content, tuple) and len(content) == 2 else content
    if not isinstance(rows, list):
        raise InputError(f"{path} holds a {type(rows).__name__} where a list of videos is expected.")
    return [_entry(row, number, path) for number, row in enumerate(rows)]


def indexed_videos(root: Path, form: IndexForm) -> LongVideos:
    """The videos of all lists, in their order; those whose file is missing are left out.

    Raises:
        InputError: A list cannot be read.
    """
    videos, left_out = [], []
    for split, name in form.lists.items():
        for entry in read_index(root / name):
            try:
                videos.append(_video(root, split, entry, form))
            except InputError as error:
                left_out.append(LeftOut(f"{split}/{entry.name}", split, f"{name}: {error}"))
    return LongVideos(videos, left_out)


def _entry(row: Any, number: int, path: Path) -> IndexedVideo:
    try:
        action = row.get("action_label", row.get("event_label", UNLABELLED))
        file = PurePosixPath(row["video_file"])
        if file.is_absolute() or ".." in file.parts:
            raise ValueError(f"video_file points out of the folder ({file})")
        labels = whole_numbers(row["frame_label"], "frame_label", UNLABELLED, _LARGEST_LABEL)
        frames = whole_number(row["seq_len"], "seq_len")
        kind = whole_number(action, "action_label", UNLABELLED)
        return IndexedVideo(str(row["name"]), file, frames, labels, kind)
    except (AttributeError, KeyError, TypeError, ValueError, InputError) as error:
        reason = str(error) if isinstance(error, InputError) else repr(error)
        raise InputError(
            f"{path}: entry {number} is not as expected ({reason}). Expected are name, video_file, seq_len "
            "and frame_label. Remedy: download the list again."
        ) from error


def _video(root: Path, split: str, entry: IndexedVideo, form: IndexForm) -> LongVideo:
    path = root / entry.file
    if not path.is_file():
        raise InputError(f"it names {entry.file}, but there is no such file in {root}. Restore it.")
    if len(entry.labels) != entry.frames:
        raise InputError(
            f"it has {len(entry.labels)} labels for {entry.frames} frames of {entry.file}. Remedy: take the "
            "list that was published with the videos."
        )
    if form.actions and not 0 <= entry.action_label < len(form.actions):
        raise InputError(
            f"there is no action {entry.action_label} among {len(form.actions)}. Remedy: correct the list."
        )
    status = path.stat()
    action = form.actions[entry.action_label] if form.actions else ""
    episode = VideoEpisode(
        f"{split}/{entry.name}", path, action, stamp=digest_of(status.st_size, status.st_mtime_ns)
    )
    classes = form.classes[entry.action_label if len(form.classes) > 1 else 0]
    labels = partial(_labels, entry.labels)
    return LongVideo(episode, split, labels, classes, form.phases, action, entry.action_label)


def _labels(labels: Labels, frames: int) -> Labels:
    del frames
    return labels
