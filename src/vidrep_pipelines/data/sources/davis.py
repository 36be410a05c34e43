"""DAVIS-2017 as published, and the resized copy that RSP's authors evaluated on.

Source: Pont-Tuset et al., "The 2017 DAVIS Challenge on Video Object Segmentation" (arXiv 1704.00675).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.atomic import atomic_directory, atomic_file
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.data.files.foreign_listing import folder_among, stem_of
from vidrep_pipelines.data.label_sequences.config import DavisConfig
from vidrep_pipelines.data.label_sequences.images import FRAME_SUFFIXES, LABEL_SUFFIX, write_labels
from vidrep_pipelines.data.label_sequences.inspection import MaskRules, has_truth, inspect_masks
from vidrep_pipelines.data.label_sequences.layout import DAVIS
from vidrep_pipelines.data.label_sequences.release import read_names, require_root
from vidrep_pipelines.data.label_sequences.sequence import MaskSequence, SequenceFiles

_LIST_FOLDERS = (DAVIS.lists, "ImageSets/480p")
"""Where the lists of DAVIS-2017 are, and those of DAVIS-2016, which list frames instead of sequences."""
_RULES = MaskRules(consecutive=True, every_frame=True, modes=("P",), two_tone=True)
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
        files: Its files in the release.
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

    @property
    def evaluated(self) -> SequenceFiles:
        """What is evaluated: the resized copy, if the protocol has one.

        A sequence of which only the first mask is published stays as it is: whoever scores it elsewhere has
        masks of the published size.
        """
        name = self.files.id
        if self.prepared is None or not has_truth(self.files):
            return self.files
        return SequenceFiles(name, self.prepared / DAVIS.frames / name, self.prepared / DAVIS.labels / name)


def davis_sequences(root: Path, config: DavisConfig) -> list[DavisSequence]:
    """The sequences of the split's list, in its order, whether or not their files are there.

    Raises:
        InputError: The root or the list is missing.
    """
    require_root("davis.root", root, (DAVIS.frames, DAVIS.labels), _REMEDY)
    names = read_names(folder_among(root, _LIST_FOLDERS) / f"{config.split}.txt", _REMEDY)
    prepared = config.prepared.absolute() if config.protocol == "rsp" else None
    return [
        DavisSequence(
            SequenceFiles(name, root / DAVIS.frames / name, root / DAVIS.labels / name),
            prepared,
            config.split,
            names,
        )
        for name in names
    ]


def inspect_davis(sequence: DavisSequence, outputs: Mapping[str, Path]) -> dict[str, int]:
    """The facts of a sequence; in RSP's protocol those of its resized copy, which is written here.

    Raises:
        InputError: The sequence cannot be evaluated.
    """
    del outputs
    facts = asdict(inspect_masks(sequence.files, _RULES))
    evaluated = sequence.evaluated
    if sequence.prepared is None or evaluated == sequence.files:
        return facts
    _resize(sequence.files, evaluated.frame_folder, evaluated.label_path)
    with atomic_file(sequence.prepared / DAVIS.lists / f"{sequence.split}.txt") as temporary:
        temporary.write_text("".join(f"{name}\n" for name in sequence.names))
    width, height = PREPARED_SIZE
    return {**facts, "width": width, "height": height}


def _resize(source: SequenceFiles, frames: Path, labels: Path) -> None:
    """Nearest for frames as well as for annotations, as published."""
    sequence = MaskSequence.of_files(source)
    with atomic_directory(frames) as frame_folder, atomic_directory(labels) as label_folder:
        for index, path in enumerate(sequence.frame_paths):
            stem = stem_of(path.name, FRAME_SUFFIXES)
            frame = Image.fromarray(_nearest(sequence.frame(index)))
            frame.save(frame_folder / f"{stem}.jpg", quality=_JPEG_QUALITY)
            label_map = sequence.labels(index)
            assert label_map is not None  # the inspection has found one for every frame
            write_labels(label_folder / f"{stem}{LABEL_SUFFIX}", _nearest(label_map))


def _nearest(pixels: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels).resize(PREPARED_SIZE, Image.Resampling.NEAREST))
