"""The label images of one sequence: a folder of ``<frame>.png``."""

from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.data.files.foreign_listing import list_files
from vidrep_pipelines.data.label_sequences.images import LABEL_SUFFIX
from vidrep_pipelines.evaluation.label_propagation.errors import LabelImageError, ResultMismatchError
from vidrep_pipelines.evaluation.label_propagation.palette import read_label_image


class LabelFolder(Sequence[NDArray[np.uint8]]):
    """Label maps (H, W) by number, read when asked for. Frames are in the order of their numbers."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)

    @classmethod
    def of(cls, folder: Path) -> "LabelFolder":
        """All label images of a folder.

        Raises:
            LabelImageError: There are none.
        """
        paths = list_files(folder, (LABEL_SUFFIX,))
        if not paths:
            raise LabelImageError(f"{folder} holds no label images (*.png).")
        return cls(paths)

    def counterpart(self, results: Path) -> "LabelFolder":
        """The images in the folder ``results`` with the names of these frames; others there do not matter.

        Raises:
            ResultMismatchError: One is missing; names the first.
        """
        paths = [results / path.name for path in self.paths]
        missing = [path for path in paths if not path.is_file()]
        if missing:
            raise ResultMismatchError(
                f"{len(missing)} of {len(paths)} results are missing, the first is {missing[0]}; finish or "
                "repeat the propagation of this sequence."
            )
        return LabelFolder(paths)

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, index: slice) -> "LabelFolder": ...
    def __getitem__(self, index: int | slice) -> "NDArray[np.uint8] | LabelFolder":
        if isinstance(index, slice):
            return LabelFolder(self.paths[index])
        return read_label_image(self.paths[index])
