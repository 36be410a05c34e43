"""Pouring, as its authors offer it: TFRecord files of JPEG frames with a phase for each.

Source: Sermanet et al., "Time-Contrastive Networks" (arXiv 1704.06888); records and phases of Dwibedi et al.,
"Temporal Cycle-Consistency Learning" (arXiv 1904.07846).
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.foreign_image import ForeignImageError, opened_image
from vidrep_pipelines.data.files.foreign_listing import list_files, list_folders
from vidrep_pipelines.data.frame_store.episode import (
    NO_CAMERA,
    DamagedViewError,
    Episode,
    EpisodeView,
    without_controls,
)
from vidrep_pipelines.data.sources.long_videos.sequence_example import SequenceExample, parse_sequence_example
from vidrep_pipelines.data.sources.long_videos.tfrecord import (
    CorruptRecordError,
    RecordPlace,
    read_tfrecord,
    scan_records,
)
from vidrep_pipelines.data.sources.long_videos.video import (
    SPLIT_OF,
    UNLABELLED,
    Labels,
    LeftOut,
    LongVideo,
    LongVideos,
)

PHASES = 5
"""Until the hand is at the bottle, until liquid flows, while it flows, until the bottle is back, after."""


@dataclass(frozen=True)
class PouringRecord:
    """One record of a TFRecord file.

    Attributes:
        trajectory: ``<split>/<name>``.
        path: The file.
        place: The place in the file.
        stamp: Tells versions of the file apart.
    """

    trajectory: str
    path: Path
    place: RecordPlace
    stamp: str

    @property
    def digest(self) -> str:
        """Changes with place and stamp; the path does not count, so that a folder may be moved."""
        return digest_of(self.path.name, self.place, self.stamp)

    @contextmanager
    def open(self) -> Iterator[Episode]:
        """Reads the record; frames are decoded while the pictures are taken.

        Raises:
            InputError: The file cannot be read, or the record is corrupt.
        """
        pictures = record_frames(_example(self))
        yield Episode("", [EpisodeView(NO_CAMERA, len(pictures), decoded(pictures))], *without_controls())


def tfrecord_files(root: Path) -> list[Path]:
    """The TFRecord files of a folder, in order of their names.

    Raises:
        InputError: There are none, or one of them is of no known split.
    """
    # A folder of that name is listed, too: reading it says what it is.
    folders = [path for path in list_folders(root) if path.suffix == ".tfrecord"]
    files = sorted([*list_files(root, (".tfrecord",)), *folders])
    if not files:
        raise InputError(
            f"There is no *.tfrecord file in {root}. Remedy: download pouring_train-0-of-2.tfrecord, "
            "pouring_train-1-of-2.tfrecord and pouring_val-0-of-1.tfrecord to it."
        )
    for path in files:
        split_of_file(path)
    return files


def split_of_file(path: Path) -> str:
    """The split that the name of a file tells: ``pouring_val-0-of-1.tfrecord`` is of ``validation``.

    Raises:
        InputError: It tells none.
    """
    word = path.name.rsplit("-", 3)[0].rpartition("_")[2]
    if word not in SPLIT_OF:
        raise InputError(f"{path} is not called <data set>_train-... or <data set>_val-...; rename it.")
    return SPLIT_OF[word]


def list_records(path: Path, outputs: Mapping[str, Path]) -> dict[str, int]:
    """Checks a TFRecord file and notes where its records are.

    Args:
        path: The file.
        outputs: Where the list (".json") goes.

    Returns:
        One row: records, corrupt.

    Raises:
        InputError: The file cannot be read, or holds nothing.
    """
    rows = [_row(place, payload) for place, payload in scan_records(path)]
    if not rows:
        raise InputError(f"{path} holds no record. Remedy: download it again.")
    outputs[".json"].write_text(json.dumps(rows))
    return {"records": len(rows), "corrupt": sum(bool(row["error"]) for row in rows)}


def pouring_videos(files: list[tuple[Path, Path, str]]) -> LongVideos:
    """The videos in the order of their records.

    Args:
        files: Every TFRecord file, its list (see :func:`list_records`), and what tells its versions apart.
    """
    videos, left_out = [], []
    for path, rows, stamp in files:
        split = split_of_file(path)
        for row in json.loads(rows.read_text()):
            place = RecordPlace(row["number"], row["offset"], row["length"], row["error"])
            if place.error:
                left_out.append(LeftOut(f"{path.stem}/{place.number:05d}", split, place.error))
                continue
            record = PouringRecord(f"{split}/{row['name']}", path, place, stamp)
            videos.append(
                LongVideo(record, split, partial(_labels, record), PHASES, phases=True, action="pouring")
            )
    return LongVideos(videos, left_out)


def record_name(example: SequenceExample) -> str:
    """The name of the video.

    Raises:
        CorruptRecordError: It has none, or it is no text.
    """
    values = example.context.get("name", [])
    name = values[0] if values else b""
    if not isinstance(name, bytes) or not name:
        raise CorruptRecordError("it holds no name of a video")
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise CorruptRecordError(f"the name of its video is no UTF-8: {name!r}") from error


def record_frames(example: SequenceExample) -> list[bytes]:
    """The JPEG bytes of every frame.

    Raises:
        CorruptRecordError: A step holds none.
    """
    steps = example.lists.get("video", [])
    frames = [value for values in steps for value in values if isinstance(value, bytes)]
    if len(frames) != len(steps):
        raise CorruptRecordError(f"of {len(steps)} steps, {len(frames)} hold a picture")
    return frames


def record_labels(example: SequenceExample, frames: int) -> Labels:
    """(T,) label of every frame; T = ``frames`` times ``UNLABELLED`` if the record came without labels.

    Raises:
        CorruptRecordError: Some steps have no label, or several.
    """
    steps = example.lists.get("frame_labels", [])
    if not any(steps):
        return np.full(frames, UNLABELLED, np.int64)
    labels = [values[0] for values in steps if len(values) == 1 and isinstance(values[0], int)]
    if len(labels) != len(steps):
        raise CorruptRecordError(f"of {len(steps)} steps, {len(labels)} hold one label")
    return np.array(labels, np.int64)


def decoded(pictures: list[bytes]) -> Iterator[NDArray[np.uint8]]:
    """Yields (H, W, 3) frames.

    Raises:
        DamagedViewError: A picture is damaged; nothing comes after it.
    """
    for number, data in enumerate(pictures):
        try:
            with opened_image(data) as image:
                yield np.asarray(image.convert("RGB"))
        except ForeignImageError as error:
            raise DamagedViewError(f"frame {number} is no whole JPEG picture ({error})") from error


def _row(place: RecordPlace, payload: bytes) -> dict[str, Any]:
    row = {**asdict(place), "name": ""}
    if place.error:
        return row
    try:
        return {**row, "name": record_name(parse_sequence_example(payload))}
    except CorruptRecordError as error:
        return {**row, "error": f"record {place.number}: {error}"}


def _example(record: PouringRecord) -> SequenceExample:
    return parse_sequence_example(read_tfrecord(record.path, record.place))


def _labels(record: PouringRecord, frames: int) -> Labels:
    return record_labels(_example(record), frames)
