"""DAVIS-2017 as published, and the resized copy that RSP's authors evaluated on.

Source: Pont-Tuset et al., "The 2017 DAVIS Challenge on Video Object Segmentation" (arXiv 1704.00675).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vidrep_pipelines.common.atomic import atomic_directory, atomic_file
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.data.foreign_listing import files_by_stem
from vidrep_pipelines.data.label_sequences.config import DavisConfig
from vidrep_pipelines.data.label_sequences.images import (
    FRAME_SUFFIXES,
    LABEL_SUFFIX,
    Pixels,
    read_frame,
    read_labels,
    write_labels,
)
from vidrep_pipelines.data.label_sequences.inspection import inspect_masks
from vidrep_pipelines.data.label_sequences.release import read_names, require_root
from vidrep_pipelines.data.label_sequences.sequence import SequenceFiles

FRAMES, LABELS, LISTS = "JPEGImages/480p", "Annotations/480p", "ImageSets/2017"
PREPARED_SIZE = (880, 480)
"""Width and height of every frame and annotation in RSP's protocol."""

_JPEG_QUALITY = 75
_REMEDY = (
    "Unpack DAVIS-2017-trainval-480p.zip (davischallenge.org) and set davis.root to its folder DAVIS, or to "
    "null for a miniature."
)


@dataclass(frozen=True)
class DavisSequence:
    """One sequence to inspect, and to resize if the protocol says so.

    Attributes:
        files: In the release.
        prepared: Root of the resized release; None: nothing is resized.
        split: Name of the list.
        names: All names of the list, which the resized release gets, too.
    """

    files: SequenceFiles
    prepared: Path | None
    split: str
    names: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Changes with the files and with the protocol."""
        return digest_of(self.files.digest, self.prepared, self.split)


def davis_sequences(root: Path, config: DavisConfig) -> list[DavisSequence]:
    """The sequences of the split's list, in its order, whether or not their files are there.

    Raises:
        InputError: The root or the list is missing.
    """
    require_root("davis.root", root, (FRAMES, LABELS), _REMEDY)
    names = read_names(root / LISTS / f"{config.split}.txt", _REMEDY)
    prepared = config.prepared.absolute() if config.protocol == "rsp" else None
    return [
        DavisSequence(
            SequenceFiles(name, root / FRAMES / name, root / LABELS / name), prepared, config.split, names
        )
        for name in names
    ]


def inspect_davis(sequence: DavisSequence, outputs: Mapping[str, Path]) -> dict[str, str | int]:
    """The facts of a sequence; in RSP's protocol those of its resized copy, which is written here.

    Raises:
        InputError: The sequence cannot be evaluated.
    """
    del outputs
    files = sequence.files
    facts = asdict(inspect_masks(files, consecutive=True, every_frame=True, modes=("P",)))
    if sequence.prepared is None:
        return facts
    frames, labels = (sequence.prepared / part / files.id for part in (FRAMES, LABELS))
    _resize(files, frames, labels)
    with atomic_file(sequence.prepared / LISTS / f"{sequence.split}.txt") as temporary:
        temporary.write_text("".join(f"{name}\n" for name in sequence.names))
    width, height = PREPARED_SIZE
    return {
        **facts,
        "width": width,
        "height": height,
        "frame_folder": str(frames),
        "label_path": str(labels),
    }


def _resize(source: SequenceFiles, frames: Path, labels: Path) -> None:
    """Nearest for frames as well as for annotations, as published."""
    with atomic_directory(frames) as frame_folder, atomic_directory(labels) as label_folder:
        for path in files_by_stem(source.frame_folder, FRAME_SUFFIXES).values():
            frame = Image.fromarray(_nearest(read_frame(path)))
            frame.save(frame_folder / f"{path.stem}.jpg", quality=_JPEG_QUALITY)
            label_map = f"{path.stem}{LABEL_SUFFIX}"
            write_labels(label_folder / label_map, _nearest(read_labels(source.label_path / label_map)))


def _nearest(pixels: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels).resize(PREPARED_SIZE, Image.Resampling.NEAREST))
