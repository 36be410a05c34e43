"""The semi-supervised score of DAVIS-2017."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vidrep_pipelines.common.atomic import atomic_file
from vidrep_pipelines.data.label_sequences.images import labels_of
from vidrep_pipelines.evaluation.label_propagation.errors import ResultMismatchError
from vidrep_pipelines.evaluation.label_propagation.frame_statistics import FrameStatistics, frame_statistics
from vidrep_pipelines.evaluation.label_propagation.label_maps import without_void
from vidrep_pipelines.evaluation.label_propagation.mask_agreement import (
    BOUNDARY_TOLERANCE,
    agreement,
    boundary_tolerance,
)

GLOBAL_COLUMNS = ("J&F-Mean", "J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay")
LEAST_FRAMES = 3

LabelMaps = Sequence[NDArray[np.uint8]] | NDArray[np.uint8]
"""(T, H, W) uint8, as an array or anything that has a length and gives label maps by number."""


@dataclass(frozen=True)
class SequenceScore:
    """J and F of every object of one sequence in the evaluated frames: all but the first and the last."""

    name: str
    region: NDArray[np.float64]
    """(objects, T - 2) J."""
    contour: NDArray[np.float64]
    """(objects, T - 2) F."""
    objects: tuple[int, ...]
    """The objects' numbers in the label maps, ascending."""

    @property
    def evaluated(self) -> bool:
        """Whether there is anything to average: an object, and three frames or more."""
        return self.region.size > 0

    def object_names(self) -> list[str]:
        """``<sequence>_<k>`` with the number of each object, as in the toolkit's tables."""
        return [f"{self.name}_{number}" for number in self.objects]

    def region_statistics(self) -> list[FrameStatistics]:
        """The statistics of J, per object."""
        return [frame_statistics(values) for values in self.region]

    def contour_statistics(self) -> list[FrameStatistics]:
        """The statistics of F, per object."""
        return [frame_statistics(values) for values in self.contour]


def score_sequence(
    name: str, annotations: LabelMaps, results: LabelMaps, boundary_share: float = BOUNDARY_TOLERANCE
) -> SequenceScore:
    """Scores a sequence, frame by frame; sequences that read files when asked are not held in memory.

    Args:
        name: The sequence's name, for errors and tables.
        annotations: Label map (H, W) of each of the T frames; void (255) counts as background. The objects
            are those that the first one holds, whatever their numbers are. (The toolkit takes all numbers up
            to the largest; those in between, which are nowhere, would agree in every frame.)
        results: Label map (H, W) of each of the T frames; the first and the last one are not looked at.
        boundary_share: Tolerance of F as a share of the image's diagonal.

    Returns:
        J and F; without columns when the sequence has fewer than three frames.

    Raises:
        ResultMismatchError: Fewer or more results than annotations, another size, or an object that the first
            annotation does not have.
    """
    if len(annotations) != len(results):
        raise ResultMismatchError(
            f"Sequence {name}: there are {len(results)} results for {len(annotations)} annotated frames; "
            "every frame needs one."
        )
    first = without_void(annotations[0])
    objects = tuple(label for label in labels_of(first) if label)
    tolerance = boundary_tolerance(first.shape[0], first.shape[1], boundary_share)
    values = np.empty((len(objects), max(0, len(annotations) - 2), 2))
    for frame in range(1, len(annotations) - 1):
        annotation, result = without_void(annotations[frame]), results[frame]
        _check_frame(f"Sequence {name}, frame {frame}", annotation, result, objects)
        for index, label in enumerate(objects):
            values[index, frame - 1] = agreement(annotation == label, result == label, tolerance)
    return SequenceScore(name, values[:, :, 0], values[:, :, 1], objects)


def _check_frame(
    where: str, annotation: NDArray[np.uint8], result: NDArray[np.uint8], objects: tuple[int, ...]
) -> None:
    if annotation.shape != result.shape:
        raise ResultMismatchError(
            f"{where}: the result is {result.shape[1]}x{result.shape[0]} pixels, the annotation "
            f"{annotation.shape[1]}x{annotation.shape[0]}; save results in the size of the annotations."
        )
    strange = set(labels_of(result)) - {0, *objects}
    if strange:
        raise ResultMismatchError(
            f"{where}: the result has object {max(strange)}, but the first annotation has {len(objects)} "
            f"objects: {', '.join(map(str, objects)) or 'none'}; results must keep the first annotation's "
            "numbers."
        )


@dataclass(frozen=True)
class DavisScore:
    """Scores of a set of sequences."""

    sequences: tuple[SequenceScore, ...]
    """Those with something to average."""
    left_out: tuple[str, ...]
    """Names of sequences without an object, or with fewer than three frames."""

    @classmethod
    def of(cls, sequences: Iterable[SequenceScore]) -> "DavisScore":
        """Sorts out what cannot be averaged.

        Raises:
            ResultMismatchError: That is everything.
        """
        everything = list(sequences)
        scored = tuple(sequence for sequence in everything if sequence.evaluated)
        left_out = tuple(sequence.name for sequence in everything if not sequence.evaluated)
        if not scored:
            raise ResultMismatchError(
                f"None of the {len(left_out)} sequences can be scored: the first and the last frame do not "
                f"count, so a sequence needs {LEAST_FRAMES} frames and an object in the first one."
            )
        return cls(scored, left_out)

    def totals(self) -> dict[str, float]:
        """The toolkit's global values in [-1, 1] by column: plain means over the objects of all sequences."""
        region = [one for sequence in self.sequences for one in sequence.region_statistics()]
        contour = [one for sequence in self.sequences for one in sequence.contour_statistics()]
        means = [
            float(np.mean([getattr(one, field) for one in side]))
            for side in (region, contour)
            for field in ("mean", "recall", "decay")
        ]
        return dict(zip(GLOBAL_COLUMNS, [(means[0] + means[3]) / 2, *means], strict=True))

    def global_table(self) -> pd.DataFrame:
        """One row with the toolkit's columns."""
        return pd.DataFrame([self.totals()], columns=list(GLOBAL_COLUMNS))

    def object_table(self) -> pd.DataFrame:
        """One row per object with the columns of the toolkit's per-sequence table."""
        rows = [
            (name, region.mean, contour.mean)
            for sequence in self.sequences
            for name, region, contour in zip(
                sequence.object_names(),
                sequence.region_statistics(),
                sequence.contour_statistics(),
                strict=True,
            )
        ]
        return pd.DataFrame(rows, columns=["Sequence", "J-Mean", "F-Mean"])

    def write(self, folder: Path, subset: str = "val") -> list[Path]:
        """Writes the toolkit's ``global_results-<subset>.csv`` and ``per-sequence_results-<subset>.csv``.

        The toolkit reads such files again when it finds them, and then evaluates nothing.
        """
        tables = {"global_results": self.global_table(), "per-sequence_results": self.object_table()}
        paths = [folder / f"{name}-{subset}.csv" for name in tables]
        for path, table in zip(paths, tables.values(), strict=True):
            with atomic_file(path) as temporary:
                table.to_csv(temporary, index=False, float_format="%.3f")
        return paths
