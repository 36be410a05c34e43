"""RT-1 and BridgeData V2 as TensorFlow Datasets publishes episodes (RLDS), without TensorFlow.

A release is a folder of ``<set>-<split>.tfrecord-00000-of-01024``. A record is one episode, a
``tf.train.Example``: every feature of its steps is a flat list under a name such as
``steps/observation/image``, pictures as JPEG or PNG. Sources: Brohan et al., "RT-1" (arXiv 2212.06817); Walke
et al., "BridgeData V2" (arXiv 2308.12952); the Open X-Embodiment release of both.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import MappingProxyType

import numpy as np

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.files.foreign_listing import is_hidden
from vidrep_pipelines.data.frame_store.episode import Episode, EpisodeAnnotations, EpisodeView, Segment
from vidrep_pipelines.data.sources.long_videos.sequence_example import Features, parse_example
from vidrep_pipelines.data.sources.long_videos.tfrecord import (
    CorruptRecordError,
    RecordPlace,
    find_records,
    read_tfrecord,
)
from vidrep_pipelines.data.sources.robot_clips.clip import (
    TEST,
    TRAIN,
    VALIDATION,
    Rows,
    decoded_image,
    instruction_segments,
    number_rows,
    stamp_of,
)

Columns = tuple[tuple[str, int], ...]
"""Names of features of one step, and how many numbers each has."""


@dataclass(frozen=True)
class RldsFeatures:
    """Which features of a record are read.

    Attributes:
        robot: What the data set is called in mixtures.
        cameras: Pictures of camera 0, 1, ...
        instruction: What the robot was told, per step.
        states: What is put together to a state.
        actions: What is put together to an action.
        frames_per_second: Rate of the steps.
    """

    robot: str
    cameras: tuple[str, ...]
    instruction: str
    states: Columns
    actions: Columns
    frames_per_second: float

    @property
    def names(self) -> set[str]:
        """All names, and the flags that say which cameras there were."""
        numbers = {name for name, _ in (*self.states, *self.actions)}
        flags = {_flag(camera) for camera in self.cameras}
        return {*self.cameras, self.instruction, *numbers, *flags}


RT1 = RldsFeatures(
    robot="rt1",
    cameras=("steps/observation/image",),
    instruction="steps/observation/natural_language_instruction",
    states=(("steps/observation/base_pose_tool_reached", 7), ("steps/observation/gripper_closed", 1)),
    actions=(
        ("steps/action/world_vector", 3),
        ("steps/action/rotation_delta", 3),
        ("steps/action/gripper_closedness_action", 1),
    ),
    frames_per_second=3.0,
)
"""State: position 3, quaternion x y z w 4, gripper 1. Action: step of the position 3, of the rotation 3, and of
the gripper 1; the base's movement is left out."""

BRIDGE = RldsFeatures(
    robot="bridge",
    cameras=tuple(f"steps/observation/image_{number}" for number in range(4)),
    instruction="steps/language_instruction",
    states=(("steps/observation/state", 7),),
    actions=(("steps/action", 7),),
    frames_per_second=5.0,
)
"""State: position 3, Euler angles 3, gripper 1; action: the steps of these, and the gripper."""

KNOWN = MappingProxyType({"fractal20220817_data": RT1, "bridge_dataset": BRIDGE})
"""Features by the name with which the files of a release begin."""

_READING = 1
_FILE = re.compile(r"(.+)-([a-z]+)\.tfrecord-(\d+)-of-(\d+)")
_SPLITS = MappingProxyType({"train": TRAIN, "val": VALIDATION, "validation": VALIDATION, "test": TEST})

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RldsEpisode:
    """One record.

    Attributes:
        trajectory: ``<data set>/<split>/<file>_<record>``.
        path: The file.
        place: Where the record is in it.
        features: What is read of it.
        robot: Name of the data set.
        split: That of the file.
        stamp: Tells versions of the file apart.
        cameras: Read only these; empty: all.
    """

    trajectory: str
    path: Path
    place: RecordPlace
    features: RldsFeatures = RT1
    robot: str = "rt1"
    split: str | None = None
    stamp: str = ""
    cameras: tuple[int, ...] = ()

    @property
    def digest(self) -> str:
        """Changes with stamp and options; the path does not count, so that a folder may be moved."""
        options = (self.place.number, self.features, self.robot, self.cameras)
        return digest_of(_READING, self.stamp, options)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        """Reads the record; its pictures are decoded one by one.

        Raises:
            InputError: It is damaged, lacks a feature, has no instruction, or its features differ in length.
        """
        where = f"{self.path}, record {self.place.number}"
        try:
            record = parse_example(read_tfrecord(self.path, self.place), self.features.names)
        except CorruptRecordError as error:
            raise InputError(f"{where}: {error}") from error
        cameras = self._cameras(record, where)
        frames = len(next(iter(cameras.values())))
        segments = _segments(_bytes_of(record, self.features.instruction, where), frames, where)
        states, actions = (
            _rows(record, columns, frames, where) for columns in (self.features.states, self.features.actions)
        )
        rate = self.features.frames_per_second
        annotations = EpisodeAnnotations(segments, frames_per_second=rate)
        views = [EpisodeView(camera, frames, _pictures(images)) for camera, images in cameras.items()]
        yield Episode(self.robot, views, states, actions, annotations=annotations)

    def _cameras(self, record: Features, where: str) -> dict[int, list[bytes]]:
        """Pictures of the cameras that there were; black ones stand for others."""
        cameras = {
            number: _bytes_of(record, name, where)
            for number, name in enumerate(self.features.cameras)
            if name in record and list(record.get(_flag(name), [1]))[:1] != [0]
        }
        wanted = {
            number: images for number, images in cameras.items() if number in self.cameras or not self.cameras
        }
        if not wanted:
            raise InputError(
                f"{where} has the cameras {list(cameras)}"
                f"{f', none of {list(self.cameras)}' if self.cameras else ''}. Remedy: leave it out."
            )
        lengths = {len(images) for images in wanted.values()}
        if len(lengths) > 1 or 0 in lengths:
            raise InputError(f"{where}: its cameras have {sorted(lengths)} pictures. Remedy: leave it out.")
        return wanted


def list_rlds(
    folder: Path,
    name: str | None = None,
    *,
    features: RldsFeatures | None = None,
    cameras: tuple[int, ...] = (),
) -> list[RldsEpisode]:
    """All episodes of the files below a folder, found without reading one.

    Args:
        folder: The release, such as ``.../fractal20220817_data/0.1.0``.
        name: Name of the data set; None: ``rt1`` or ``bridge``.
        features: What is read; None: what is known of the release by the names of its files.
        cameras: Read only these; empty: all.

    Raises:
        InputError: There is no such file, its release is not known, or two releases are mixed.
    """
    episodes = [
        episode
        for path in _files(folder)
        for episode in _episodes(path, name, _features_of(path, features), cameras)
    ]
    if not episodes:
        raise InputError(
            f"There is no episode below {folder} (<set>-<split>.tfrecord-<n>-of-<m>). Remedy: name the "
            "folder of the release."
        )
    if len({episode.trajectory for episode in episodes}) < len(episodes):
        raise InputError(
            f"{folder} holds two releases of one data set. Remedy: name the folder of one version."
        )
    return episodes


def _files(folder: Path) -> list[Path]:
    named = (path for path in folder.rglob("*.tfrecord-*-of-*") if _FILE.fullmatch(path.name))
    return sorted(path for path in named if not is_hidden(path.name))


def _features_of(path: Path, given: RldsFeatures | None) -> RldsFeatures:
    match = _FILE.fullmatch(path.name)
    known = given or (KNOWN.get(match[1]) if match else None)
    if known is None:
        raise InputError(
            f"{path} is of a release whose features are not known (known are {', '.join(KNOWN)}). Remedy: "
            "say which features to read, or name another folder."
        )
    return known


def _episodes(
    path: Path, name: str | None, features: RldsFeatures, cameras: tuple[int, ...]
) -> Iterator[RldsEpisode]:
    match = _FILE.fullmatch(path.name)
    _, split, number, _ = match.groups() if match else ("", "", "", "")
    label, stamp = name or features.robot, stamp_of([path])
    for place in find_records(path):
        if place.error:
            _log.warning("%s", place.error)
            return
        yield RldsEpisode(
            trajectory=f"{label}/{split}/{number}_{place.number:04d}",
            path=path,
            place=place,
            features=features,
            robot=label,
            split=_SPLITS.get(split),
            stamp=stamp,
            cameras=cameras,
        )


def _flag(camera: str) -> str:
    """Feature that says whether there was a camera: ``episode_metadata/has_image_0``."""
    return f"episode_metadata/has_{camera.rsplit('/', 1)[-1]}"


def _bytes_of(record: Features, name: str, where: str) -> list[bytes]:
    values = list(record.get(name, []))
    texts = [value for value in values if isinstance(value, bytes)]
    if len(texts) < len(values) or name not in record:
        raise InputError(f"{where} has no {name}. Remedy: name the folder of a release that has it.")
    return texts


def _rows(record: Features, columns: Columns, frames: int, where: str) -> Rows:
    """(T, N): the columns side by side."""
    blocks = []
    for name, width in columns:
        values = np.asarray(record.get(name, []))
        if values.size != frames * width or values.dtype.kind not in "iuf":
            raise InputError(
                f"{where}: {name} has {values.size} numbers, where {frames} steps have {width} each. Remedy: "
                "leave it out."
            )
        blocks.append(values.reshape(frames, width).astype(np.float32))
    return number_rows(np.concatenate(blocks, axis=1), f"{where}: {columns[0][0]}")


def _segments(texts: Sequence[bytes], frames: int, where: str) -> tuple[Segment, ...]:
    """One segment per stretch of steps with the same instruction; steps without one are in none."""
    if len(texts) not in {1, frames}:
        raise InputError(f"{where} has {len(texts)} instructions for {frames} steps. Remedy: leave it out.")
    decoded = [text.decode("utf-8", "replace").strip() for text in texts]
    if len(set(decoded)) == 1:
        return instruction_segments(decoded[:1], frames, where)
    stretches = [
        (text, [step for step, _ in steps])
        for text, steps in groupby(enumerate(decoded), lambda pair: pair[1])
    ]
    return tuple(Segment(steps[0], steps[-1] + 1, text) for text, steps in stretches if text)


def _pictures(images: Sequence[bytes]) -> Iterator[Pixels]:
    for number, image in enumerate(images):
        yield decoded_image(image, f"picture {number}")
