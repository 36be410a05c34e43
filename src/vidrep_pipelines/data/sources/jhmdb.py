"""JHMDB as published: short clips of people, with the positions of their joints.

Source: Jhuang et al., "Toward understanding action recognition" (ICCV 2013).
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path, PurePosixPath

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.files.foreign_listing import folder_among, list_files
from vidrep_pipelines.data.label_sequences.config import JhmdbConfig
from vidrep_pipelines.data.label_sequences.inspection import inspect_joints
from vidrep_pipelines.data.label_sequences.joint_file import JOINT_FILE
from vidrep_pipelines.data.label_sequences.layout import JHMDB
from vidrep_pipelines.data.label_sequences.release import read_list_rows, require_names, require_root
from vidrep_pipelines.data.label_sequences.sequence import SequenceFiles

FRAME_FOLDERS = (JHMDB.frames, "Frames")
"""Names under which the frames are published."""

_TEST = "2"  # in the lists of a split: 1 is training, 2 testing
_JOINT_STEM = PurePosixPath(JOINT_FILE).stem
_REMEDY = (
    "Unpack Rename_Images (or Frames), joint_positions.zip and splits.zip of JHMDB (jhmdb.is.tue.mpg.de) "
    "into one folder and set jhmdb.root to it, or to null for a miniature; jhmdb.list names another list."
)


def jhmdb_sequences(root: Path, config: JhmdbConfig) -> list[SequenceFiles]:
    """The test clips as ``<class>/<clip>``, whether or not their files are there.

    Raises:
        InputError: The root or a list is missing, or a line of it makes no sense, or leads out of the root.
    """
    frames = folder_among(root, FRAME_FOLDERS)
    require_root("jhmdb.root", root, (frames.name, JHMDB.labels), _REMEDY)
    clips = _of_split(root / JHMDB.lists, config.split) if config.list is None else _of_list(config.list)
    return [
        SequenceFiles(clip, frames / clip, root / JHMDB.labels / clip / JOINT_FILE)
        for clip in require_names(clips, config.list or root / JHMDB.lists)
    ]


def inspect_jhmdb(files: SequenceFiles, outputs: Mapping[str, Path]) -> dict[str, int]:
    """The facts of a clip.

    Raises:
        InputError: The clip cannot be evaluated.
    """
    del outputs
    return asdict(inspect_joints(files))


def _of_split(folder: Path, split: int) -> Iterator[str]:
    """Sequences in the published lists, one per class: ``<clip>.avi 2``."""
    ending = f"_test_split{split}.txt"
    lists = list_files(folder, (ending,))
    if not lists:
        raise InputError(f"There is no list *{ending} in {folder}. {_REMEDY}")
    for path in lists:
        for row in read_list_rows(path, _REMEDY):
            if row[-1] == _TEST:
                yield f"{path.name[: -len(ending)]}/{row[0].removesuffix('.avi')}"


def _of_list(path: Path) -> Iterator[str]:
    """Sequences in a list of other evaluations: two columns in either order, with somebody's paths."""
    for number, row in enumerate(read_list_rows(path, _REMEDY), start=1):
        images = [PurePosixPath(word) for word in row if PurePosixPath(word).stem != _JOINT_STEM]
        if len(row) != 2 or len(images) != 1 or len(images[0].parts) < 2:
            raise InputError(
                f"{path}, line {number}: expected are a folder of images, .../<class>/<clip>, and a file "
                f".../<class>/<clip>/{JOINT_FILE}, in either order."
            )
        yield "/".join(images[0].parts[-2:])
