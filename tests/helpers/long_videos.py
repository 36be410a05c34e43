"""Miniatures of Pouring, PennAction and FineGym in the layouts that they are published in."""

import io
import json
import pickle
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from tests.helpers.videos import Frames, barcode_frames, write_video
from vidrep_pipelines.data.sources.long_videos.tfrecord import masked_crc32c


def jpeg(frame: Frames) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def varint(number: int) -> bytes:
    """As protocol buffers write it; negative numbers as 64 bits of two's complement."""
    number &= (1 << 64) - 1
    groups = bytearray()
    while number >= 0x80:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


def field(number: int, content: bytes) -> bytes:
    """A field whose content has a length."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def feature(value: bytes | Sequence[int], packed: bool = True) -> bytes:
    """A ``tf.train.Feature`` of one byte string, or of whole numbers in either encoding."""
    if isinstance(value, bytes):
        return field(1, field(1, value))
    if packed:
        return field(3, field(1, b"".join(map(varint, value))))
    return field(3, b"".join(varint(1 << 3) + varint(number) for number in value))


def sequence_example(
    name: str, frames: Sequence[bytes], labels: Sequence[int], label: int = -1, packed: bool = True
) -> bytes:
    """A record as the authors of TCC write it."""
    context = {"name": feature(name.encode()), "len": feature([len(frames)]), "label": feature([label])}
    steps = {
        "video": [feature(frame) for frame in frames],
        "frame_labels": [feature([number], packed) for number in labels],
    }
    entries = b"".join(field(1, field(1, key.encode()) + field(2, value)) for key, value in context.items())
    lists = b"".join(
        field(1, field(1, key.encode()) + field(2, b"".join(field(1, step) for step in values)))
        for key, values in steps.items()
    )
    return field(1, entries) + field(2, lists)


def framed(payload: bytes) -> bytes:
    """A payload with length and checksums."""
    length = struct.pack("<Q", len(payload))
    checksums = (struct.pack("<I", masked_crc32c(part)) for part in (length, payload))
    return length + next(checksums) + payload + next(checksums)


def write_tfrecords(path: Path, payloads: Sequence[bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(map(framed, payloads)))
    return path


def pouring_payload(name: str, frames: int, labels: Sequence[int] | None = None, seed: int = 0) -> bytes:
    """A video of barcode frames whose labels rise from 0 to 4, unless they are given."""
    pictures = [jpeg(frame) for frame in barcode_frames(frames, 64, 48, seed)]
    rising = [rank * 5 // frames for rank in range(frames)] if labels is None else labels
    return sequence_example(name, pictures, rising)


def write_pouring(root: Path) -> Path:
    """Three training and one validation video in three files."""
    names = ("pouring_train-0-of-2", "pouring_train-1-of-2", "pouring_val-0-of-1")
    contents = ([("a", 6), ("b", 8)], [("c", 7)], [("d", 9)])
    for number, (name, videos) in enumerate(zip(names, contents, strict=True)):
        payloads = [pouring_payload(video, frames, seed=number) for video, frames in videos]
        write_tfrecords(root / f"{name}.tfrecord", payloads)
    return root


def write_penn_video(
    root: Path, number: int, action: str, frames: int, phases: Sequence[int] | None, published: str = "train"
) -> None:
    """One folder of frames with its label file, and its phases unless they are none."""
    folder = root / "frames" / f"{number:04d}"
    folder.mkdir(parents=True)
    for rank, frame in enumerate(barcode_frames(frames, 64, 48, number), start=1):
        (folder / f"{rank:06d}.jpg").write_bytes(jpeg(frame))
    (root / "labels").mkdir(exist_ok=True)
    savemat(root / "labels" / f"{number:04d}.mat", {"action": action, "nframes": frames})
    if phases is not None:
        labels = root / "penn_action_labels" / published / action
        labels.mkdir(parents=True, exist_ok=True)
        np.save(labels / f"{number:04d}_phases.npy", np.array(phases))


def write_annotation(root: Path, videos: Mapping[str, Mapping[str, Any]]) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    path = root / "finegym_annotation_info_v1.0.json"
    path.write_text(json.dumps(videos))
    return path


def event(
    start: float, end: float, kind: int = 1, **segments: Sequence[tuple[float, float]]
) -> dict[str, Any]:
    """An event; segments are given by name and stages, names with single underscores."""
    described = {
        name: {"stages": len(stages), "timestamps": [list(stage) for stage in stages]}
        for name, stages in segments.items()
    }
    return {"event": kind, "timestamps": [[start, end]], "segments": described or None}


def write_finegym(root: Path) -> Path:
    """Two raw videos of 3 s at 30 frames per second, with three listed events and one without elements."""
    write_video(root / "videos/vid-A_1.mp4", 90, rate=30, options={"g": "40"})
    write_video(root / "videos/vidB.mkv", 90, rate=30, options={"g": "40"}, seed=1)
    annotation = {
        "vidB": {"E_000000_000002": event(0.5, 2.0, 2, A_0000_0001=[(0.0, 0.2), (0.2, 0.6)])},
        "vid-A_1": {
            "E_000001_000002": event(1.0, 2.0, A_0000_0001=[(0.2, 0.4)], A_0001_0002=[(0.6, 3.0)]),
            "E_000002_000003": event(2.0, 2.8, A_0000_0001=[(0.0, 0.5)]),
            "E_009000_009010": event(0.2, 0.8),
        },
    }
    write_annotation(root, annotation)
    for classes in (99, 288):
        lists = {
            f"gym{classes}_train_element_v1.0.txt": (
                f"vidB_E_000000_000002_A_0000_0001 {classes - 1}\n"
                "vid-A_1_E_000001_000002_A_0000_0001 3\nvid-A_1_E_000001_000002_A_0001_0002 4\n"
            ),
            f"gym{classes}_val_element.txt": "vid-A_1_E_000002_000003_A_0000_0001 0\n",
        }
        for name, text in lists.items():
            (root / name).write_text(text)
    return root


def index_entry(name: str, labels: NDArray[Any], **more: int) -> dict[str, Any]:
    """An entry of a published list, with a tensor of labels."""
    entry = {"id": 0, "name": name, "video_file": f"videos/{name}.mp4", "seq_len": len(labels)}
    return {**entry, "frame_label": torch.tensor(labels), **more}


def write_index(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=4))
    return path
