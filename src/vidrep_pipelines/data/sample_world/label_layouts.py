"""Clips of the sample world as miniatures of DAVIS-2017, JHMDB, VIP and TAP-Vid, in exactly their layouts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidrep_pipelines.data.label_sequences.images import write_labels
from vidrep_pipelines.data.label_sequences.joint_file import JOINT_FILE, write_joints
from vidrep_pipelines.data.label_sequences.layout import DAVIS, JHMDB, VIP
from vidrep_pipelines.data.sample_world.miniature import MiniatureClip, MiniatureName, MiniatureRequest
from vidrep_pipelines.data.sample_world.point_tracks import write_tapvid_miniature
from vidrep_pipelines.data.sample_world.truth import Truth, read_truth
from vidrep_pipelines.data.video.decode import read_frames

_SMALLEST_SHARE = 1e-3  # of the picture: a square of 9 pixels in one of 320x240
_VIP_STEP = 25  # VIP has every 25th frame of a film


def write_miniature(request: MiniatureRequest, root: Path) -> None:
    """Writes a release below ``root``.

    Masks become DAVIS' objects: those that the first frame shows, numbered from 1 without gaps. The keypoints
    of the arm become JHMDB's joints; there are as many as the arm has, not 15. The parts of the arm become
    VIP's classes by their number; the names of VIP's classes do not apply to them. Points of the arm and of
    the objects become the tracks of TAP-Vid.
    """
    _WRITERS[request.release](request.clips, root, request.quality)


def _write_davis(clips: Sequence[MiniatureClip], root: Path, quality: int) -> None:
    names = []
    for clip, truth, frames in _read(clips):
        name = clip.id.rpartition("/")[2]
        stems = [f"{index:05d}" for index in range(truth.frames)]
        _write_frames(root / DAVIS.frames / name, stems, frames, ".jpg", quality)
        _write_maps(root / DAVIS.labels / name, stems, objects_of_first_frame(truth.masks))
        names.append(name)
    _write_list(root / DAVIS.lists / "val.txt", names)


def _write_jhmdb(clips: Sequence[MiniatureClip], root: Path, quality: int) -> None:
    lists: dict[str, list[str]] = {}
    for clip, truth, frames in _read(clips):
        activity, _, name = clip.id.rpartition("/")
        stems = [f"{index + 1:05d}" for index in range(truth.frames)]
        _write_frames(root / JHMDB.frames / clip.id, stems, frames, ".png", quality)
        joint_file = root / JHMDB.labels / clip.id / JOINT_FILE
        joint_file.parent.mkdir(parents=True)
        write_joints(joint_file, truth.keypoints[..., :2].transpose(2, 1, 0) + 1)  # pixels count from 1
        lists.setdefault(activity, []).append(f"{name}.avi 2")
    for activity, lines in lists.items():
        _write_list(root / JHMDB.lists / f"{activity}_test_split1.txt", lines)


def _write_vip(clips: Sequence[MiniatureClip], root: Path, quality: int) -> None:
    names = []
    for number, (_, truth, frames) in enumerate(_read(clips), start=1):
        name = f"videos{number}"
        stems = [f"{1 + index * _VIP_STEP:012d}" for index in range(truth.frames)]
        _write_frames(root / VIP.frames / name, stems, frames, ".jpg", quality)
        _write_maps(root / VIP.labels / name, stems, truth.parts)
        names.append(name)
    _write_list(root / VIP.lists, names)


def _write_tapvid(clips: Sequence[MiniatureClip], root: Path, quality: int) -> None:
    del quality  # frames are kept as they are
    write_tapvid_miniature(clips, root)


_WRITERS: Mapping[MiniatureName, Callable[[Sequence[MiniatureClip], Path, int], None]] = MappingProxyType(
    {"davis": _write_davis, "jhmdb": _write_jhmdb, "vip": _write_vip, "tapvid": _write_tapvid}
)


def objects_of_first_frame(masks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Masks (T, H, W) with the objects of the first frame numbered from 1, and all others as background.

    What shows only a few pixels there is background, too: nobody would annotate it.
    """
    table = np.zeros(256, np.uint8)
    areas = np.bincount(masks[0].ravel(), minlength=256)
    present = [index for index in range(1, 256) if areas[index] >= _SMALLEST_SHARE * masks[0].size]
    table[present] = np.arange(1, len(present) + 1)
    return table[masks]


def _read(clips: Sequence[MiniatureClip]) -> Iterator[tuple[MiniatureClip, Truth, NDArray[np.uint8]]]:
    for clip in clips:
        truth = read_truth(clip.truth)
        yield clip, truth, read_frames(clip.video, range(truth.frames))


def _write_frames(
    folder: Path, stems: Sequence[str], frames: NDArray[np.uint8], suffix: str, quality: int
) -> None:
    folder.mkdir(parents=True)
    for stem, frame in zip(stems, frames, strict=True):
        Image.fromarray(frame).save(folder / f"{stem}{suffix}", quality=quality)


def _write_maps(folder: Path, stems: Sequence[str], maps: NDArray[np.uint8]) -> None:
    folder.mkdir(parents=True)
    for stem, labels in zip(stems, maps, strict=True):
        write_labels(folder / f"{stem}.png", labels)


def _write_list(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
