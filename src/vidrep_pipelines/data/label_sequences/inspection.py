"""Opens the files of a labelled sequence, far enough to know whether it can be evaluated."""

from dataclasses import dataclass
from pathlib import Path

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.foreign_listing import files_by_stem, require_no_gap
from vidrep_pipelines.data.label_sequences.images import (
    FRAME_SUFFIXES,
    LABEL_SUFFIX,
    colors_instead,
    read_header,
    read_labels,
)
from vidrep_pipelines.data.label_sequences.joint_file import read_joints
from vidrep_pipelines.data.label_sequences.sequence import SequenceFiles

VOID = 255
"""Index of pixels that nobody labelled."""


@dataclass(frozen=True)
class SequenceFacts:
    """What is known about a sequence that can be evaluated.

    Attributes:
        frames: Their number T, at least 2.
        width: Pixels.
        height: Pixels.
        objects: Objects, classes besides background, or joints, of the first frame.
        frame_folder: Folder of the frames.
        label_path: Folder of the label maps, or file of the joints.
    """

    frames: int
    width: int
    height: int
    objects: int
    frame_folder: str
    label_path: str


def inspect_masks(
    files: SequenceFiles, *, consecutive: bool, every_frame: bool, modes: tuple[str, ...]
) -> SequenceFacts:
    """Opens the headers of all frames and label maps, and the first label map.

    Args:
        files: The sequence.
        consecutive: The frames' names are numbers without gaps.
        every_frame: Every frame has a label map; else only the first must.
        modes: Color modes of Pillow that a label map may have.

    Raises:
        InputError: Frames or label maps are missing, differ in size, are damaged or hold no indices, or the
            first one labels nothing; the message names the file.
    """
    frames = _frames(files, consecutive)
    labels = files_by_stem(files.label_path, (LABEL_SUFFIX,))
    wanted = list(frames) if every_frame else list(frames)[:1]
    missing = [stem for stem in wanted if stem not in labels]
    if missing:
        raise InputError(f"{files.label_path / missing[0]}{LABEL_SUFFIX} is missing (in all {len(missing)}).")
    orphans = [stem for stem in labels if stem not in frames]
    if orphans:
        raise InputError(
            f"{files.frame_folder} lacks frame {orphans[0]}, which has labels (in all {len(orphans)})."
        )
    width, height = _common_size([*frames.values(), *labels.values()])
    for path in labels.values():
        mode = read_header(path)[2]
        if mode not in modes:
            raise InputError(f"{path} {colors_instead(mode)}")
    first = read_labels(labels[next(iter(frames))])
    classes = set(first.flat) - {0, VOID}
    if not classes:
        raise InputError(f"{labels[next(iter(frames))]} labels nothing, so there is nothing to follow.")
    return _facts(files, len(frames), width, height, len(classes))


def inspect_joints(files: SequenceFiles) -> SequenceFacts:
    """Opens the headers of all frames, and the joint positions.

    Raises:
        InputError: Frames or the .mat file are missing, differ in size or number, or are damaged.
    """
    frames = _frames(files, consecutive=True)
    positions = read_joints(files.label_path)
    if positions.shape[2] != len(frames):
        raise InputError(
            f"{files.label_path} is of {positions.shape[2]} frames, but {files.frame_folder} has "
            f"{len(frames)}."
        )
    width, height = _common_size(list(frames.values()))
    return _facts(files, len(frames), width, height, positions.shape[1])


def _frames(files: SequenceFiles, consecutive: bool) -> dict[str, Path]:
    frames = files_by_stem(files.frame_folder, FRAME_SUFFIXES)
    if not frames:
        raise InputError(
            f"{files.frame_folder} is missing or holds no frames. Remedy: unpack the images again."
        )
    if len(frames) == 1:
        raise InputError(f"{files.frame_folder} holds a single frame: there is nothing to propagate to.")
    if consecutive:
        require_no_gap(files.frame_folder, list(frames), "Remedy: unpack the images again.")
    return frames


def _common_size(paths: list[Path]) -> tuple[int, int]:
    width, height, _ = read_header(paths[0])
    for path in paths[1:]:
        other = read_header(path)[:2]
        if other != (width, height):
            raise InputError(
                f"{path} is {other[0]}x{other[1]}, but {paths[0].name} of the sequence is {width}x{height}."
            )
    return width, height


def _facts(files: SequenceFiles, frames: int, width: int, height: int, objects: int) -> SequenceFacts:
    return SequenceFacts(frames, width, height, objects, str(files.frame_folder), str(files.label_path))
