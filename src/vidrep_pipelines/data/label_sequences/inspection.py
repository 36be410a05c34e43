"""Opens the files of a labelled sequence, far enough to know whether it can be evaluated."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.files.foreign_listing import files_by_stem, require_no_gap
from vidrep_pipelines.data.label_sequences.images import (
    FRAME_SUFFIXES,
    LABEL_SUFFIX,
    colors_instead,
    is_two_tone,
    labels_of,
    read_header,
    read_labels,
    read_two_tone,
)
from vidrep_pipelines.data.label_sequences.joint_file import read_joints
from vidrep_pipelines.data.label_sequences.sequence import SequenceFiles

VOID = 255
"""Index of pixels that nobody labelled."""


@dataclass(frozen=True)
class SequenceFacts:
    """What is known about a sequence that can be evaluated.

    Where it lies is not among it: the facts stay true when the release is moved or copied.

    Attributes:
        frames: Their number T, at least 2.
        width: Pixels.
        height: Pixels.
        objects: Objects, classes besides background, or joints, of the first frame.
    """

    frames: int
    width: int
    height: int
    objects: int


@dataclass(frozen=True)
class MaskRules:
    """What a release's label maps are like.

    Attributes:
        consecutive: The frames' names are numbers without gaps.
        every_frame: Every frame has a label map, or only the first (a test set); else any but the first may
            have none.
        modes: Color modes of Pillow that a label map may have.
        two_tone: Masks may be black and white instead, with one object.
        largest: The largest label; None: any below void.
    """

    consecutive: bool
    every_frame: bool
    modes: tuple[str, ...]
    two_tone: bool = False
    largest: int | None = None


def inspect_masks(files: SequenceFiles, rules: MaskRules) -> SequenceFacts:
    """Opens the headers of all frames and label maps, and the first label map.

    Args:
        files: The sequence.
        rules: What its label maps should be like.

    Raises:
        InputError: Frames or label maps are missing, differ in size, are damaged or hold no indices, or the
            first one labels nothing, or what is no label; the message names the file.
    """
    frames = _frames(files, rules.consecutive)
    labels = files_by_stem(files.label_path, (LABEL_SUFFIX,))
    first = next(iter(frames))
    wanted = list(frames) if rules.every_frame and list(labels) != [first] else [first]
    missing = [stem for stem in wanted if stem not in labels]
    if missing:
        raise InputError(f"{files.label_path / missing[0]}{LABEL_SUFFIX} is missing (in all {len(missing)}).")
    orphans = [stem for stem in labels if stem not in frames]
    if orphans:
        raise InputError(
            f"{files.frame_folder} lacks frame {orphans[0]}, which has labels (in all {len(orphans)})."
        )
    width, height = _common_size([*frames.values(), *labels.values()])
    objects = _objects(labels[first], list(labels.values()), rules)
    return SequenceFacts(len(frames), width, height, objects)


def has_truth(files: SequenceFiles) -> bool:
    """Whether a later frame than the first has a label map, so that results can be scored."""
    frames = files_by_stem(files.frame_folder, FRAME_SUFFIXES)
    labels = files_by_stem(files.label_path, (LABEL_SUFFIX,))
    return any(stem in labels for stem in list(frames)[1:])


def inspect_joints(files: SequenceFiles) -> SequenceFacts:
    """Opens the headers of all frames, and the joint positions.

    Raises:
        InputError: Frames or the .mat file are missing, differ in size or number, or are damaged, or the
            first frame has no joint.
    """
    frames = _frames(files, consecutive=True)
    positions = read_joints(files.label_path)
    if positions.shape[2] != len(frames):
        raise InputError(
            f"{files.label_path} is of {positions.shape[2]} frames, but {files.frame_folder} has "
            f"{len(frames)}. Remedy: unpack both again."
        )
    if np.isnan(positions[:, :, 0]).all():
        raise InputError(
            f"{files.label_path} has no joint in the first frame (all are NaN): there is nothing to follow."
        )
    width, height = _common_size(list(frames.values()))
    return SequenceFacts(len(frames), width, height, positions.shape[1])


def _objects(first: Path, paths: list[Path], rules: MaskRules) -> int:
    """How many objects the first label map has, after a look at the colors of all."""
    if rules.two_tone and is_two_tone(first):
        for path in paths:
            read_two_tone(path)
        return 1
    for path in paths:
        mode = read_header(path)[2]
        if mode not in rules.modes:
            raise InputError(f"{path} {colors_instead(mode)}")
    present = labels_of(read_labels(first))
    labels = set(present) - {0, VOID}
    if not labels:
        void = " but void (255)" if VOID in present else ""
        raise InputError(f"{first} labels nothing{void}, so there is nothing to follow.")
    if rules.largest is not None and max(labels) > rules.largest:
        raise InputError(
            f"{first} holds label {max(labels)}, but labels end at {rules.largest}. Remedy: unpack the "
            "original annotations again, and see that they are of this kind and not, for example, instances."
        )
    return len(labels)


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
