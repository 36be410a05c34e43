"""Data sets in the layout of Video Prediction Policy, as sources of a frame store.

Which data set a clip is from is the name of its folder, and which split the name of the annotation's folder.
The original looks for parts of names in whole paths, where a folder ".../calvin/..." above the data changes
what is read.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.item_id import is_usable
from vidrep_pipelines.data.files.foreign_listing import list_files, list_folders
from vidrep_pipelines.data.frame_store.episode import Episode, EpisodeAnnotations
from vidrep_pipelines.data.sources.robot_clips.annotation import ClipAnnotation, read_clip_annotation
from vidrep_pipelines.data.sources.robot_clips.clip import (
    TEST,
    TRAIN,
    VALIDATION,
    packets_in,
    stamp_of,
    video_claims,
    video_view,
)
from vidrep_pipelines.data.video.decode import count_by_decoding

SPLIT_FOLDERS = MappingProxyType(
    {"train": TRAIN, "val": VALIDATION, "validation": VALIDATION, "val_d": VALIDATION, "test": TEST}
)
"""Splits by the names of their folders; CALVIN trains on the environments A, B, C and validates on D."""

ANNOTATION_FOLDERS = ("annotation", "annotation_abc_13")

_READING = 1
"""Version of what equal files lead to."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InstanceEpisode:
    """One clip.

    Attributes:
        trajectory: ``<data set>/<folder of the split>/<id>``.
        annotation: Its annotation file.
        robot: Name of the data set.
        split: ``train``, ``validation`` or ``test``.
        stamp: Tells versions of its files apart.
        cameras: Read only these; empty: all that are listed.
        cameras_beside: Whether videos beside those that are listed are cameras, too.
        trim: Whether a video and an annotation of different lengths are used as far as both go.
    """

    trajectory: str
    annotation: Path
    robot: str
    split: str | None = None
    stamp: str = ""
    cameras: tuple[int, ...] = ()
    cameras_beside: bool = False
    trim: bool = False

    @property
    def digest(self) -> str:
        """Changes with stamp and options; the path does not count, so that a folder may be moved."""
        return digest_of(_READING, self.stamp, self.robot, self.cameras, self.cameras_beside, self.trim)

    def latents(self) -> dict[int, Path]:
        """The published latent file of each camera; empty if there is none.

        Raises:
            InputError: The annotation cannot be read.
        """
        return read_clip_annotation(self.annotation).latents(self.cameras_beside)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        """Reads the annotation; a video is opened and decoded while its pictures are taken.

        Raises:
            InputError: The annotation is damaged or has no instruction, a video is missing or of another
                length than the annotation, or states and actions do not belong to it.
        """
        said = read_clip_annotation(self.annotation)
        paths = self._videos(said)
        first = next(iter(paths.values()))
        claimed, rate = video_claims(first)
        frames = said.frames() or claimed or packets_in(first)
        for path in paths.values():
            self._require_frames(path, frames)
        states, actions = said.controls(frames)
        annotations = EpisodeAnnotations(said.instructions(frames), frames_per_second=rate)
        views = [video_view(path, camera, frames, self.trim) for camera, path in paths.items()]
        yield Episode(self.robot, views, states, actions, annotations=annotations)

    def _videos(self, said: ClipAnnotation) -> dict[int, Path]:
        paths = said.videos(self.cameras_beside)
        wanted = {
            camera: path for camera, path in paths.items() if camera in self.cameras or not self.cameras
        }
        if not wanted:
            raise InputError(f"{said.path} has the cameras {list(paths)}, none of {list(self.cameras)}.")
        absent = [path for path in wanted.values() if not path.is_file()]
        if absent:
            raise InputError(
                f"{said.path}: its video {absent[0]} is missing. Remedy: download it, or leave the clip out."
            )
        return wanted

    def _require_frames(self, path: Path, frames: int) -> None:
        """Looks for an error before decoding; where a header says nothing, decoding shows it."""
        claimed = 0 if self.trim else video_claims(path)[0]
        if claimed in {0, frames}:
            return
        count = count_by_decoding(path)  # edit lists hide frames that the header counts
        if count != frames:
            raise InputError(
                f"{self.annotation} is about {frames} frames, its video {path} has {count}. Remedy: download "
                "both again, leave the clip out, or set trim to use what both have."
            )


def list_instances(
    folder: Path,
    name: str | None = None,
    *,
    annotations: str | None = None,
    cameras: tuple[int, ...] = (),
    cameras_beside: bool = False,
    trim: bool = False,
) -> list[InstanceEpisode]:
    """All clips of one data set, by split and in natural order.

    What is wrong with one annotation or its videos is said when that clip is opened.

    Args:
        folder: The data set, such as ``.../bridge``.
        name: Name of the data set; None: that of the folder.
        annotations: Folder in it that holds the annotations; None: the usual names.
        cameras: See :class:`InstanceEpisode`.
        cameras_beside: See there.
        trim: See there.

    Raises:
        InputError: There is no such folder, or no annotation in it.
    """
    label = name or folder.resolve().name
    above = _annotation_folder(folder, annotations)
    clips = [
        InstanceEpisode(
            trajectory=f"{label}/{part.name}/{path.stem}",
            annotation=path,
            robot=label,
            split=SPLIT_FOLDERS[part.name],
            stamp=_stamp(path, cameras_beside),
            cameras=cameras,
            cameras_beside=cameras_beside,
            trim=trim,
        )
        for part in _split_folders(above)
        for path in list_files(part, (".json",))
    ]
    usable = [clip for clip in clips if is_usable(clip.trajectory)]
    if len(usable) < len(clips):
        _log.warning("%s: %d names cannot be those of files; left out.", folder, len(clips) - len(usable))
    if not usable:
        raise InputError(
            f"{above} holds no annotations (<split>/<id>.json). Remedy: download them, or name the folder "
            "of another data set."
        )
    return usable


def instance_folders(root: Path) -> list[Path]:
    """The data sets in a folder, itself included: all that have a folder of annotations.

    Raises:
        InputError: There is no such folder.
    """
    if not root.is_dir():
        raise InputError(f"{root} is no folder. Remedy: name the folder that holds the data sets.")
    return [folder for folder in (root, *list_folders(root)) if _usual_annotations(folder)]


def _annotation_folder(folder: Path, name: str | None) -> Path:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder. Remedy: name the folder of a data set.")
    if name is not None:
        return folder / name
    usual = _usual_annotations(folder)
    if not usual:
        there = [path.name for path in list_folders(folder)]
        raise InputError(
            f"{folder} has no folder of annotations ({' or '.join(ANNOTATION_FOLDERS)}); it has {there}. "
            "Remedy: name the folder of one data set, or the parameter that names its annotations."
        )
    return usual[0]


def _usual_annotations(folder: Path) -> list[Path]:
    return [folder / name for name in ANNOTATION_FOLDERS if (folder / name).is_dir()]


def _split_folders(above: Path) -> list[Path]:
    folders = list_folders(above)
    if unknown := [folder.name for folder in folders if folder.name not in SPLIT_FOLDERS]:
        _log.warning("%s: the folders %s are no splits; left out.", above, ", ".join(unknown))
    return [folder for folder in folders if folder.name in SPLIT_FOLDERS]


def _stamp(path: Path, cameras_beside: bool) -> str:
    """Of the annotation and its videos; of the annotation alone if it cannot be read."""
    try:
        videos = list(read_clip_annotation(path).videos(cameras_beside).values())
    except InputError:
        videos = []
    return stamp_of([path, *videos])
