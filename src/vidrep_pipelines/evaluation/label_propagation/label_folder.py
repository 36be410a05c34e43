"""The label images of one sequence: a folder of ``<frame>.png``."""

from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.foreign_image import ForeignImageError, opened_image
from vidrep_pipelines.data.files.foreign_listing import list_files
from vidrep_pipelines.data.label_sequences.images import DAVIS_PALETTE, LABEL_SUFFIX
from vidrep_pipelines.evaluation.label_propagation.errors import LabelImageError, ResultMismatchError

PALETTE: NDArray[np.uint8] = np.array(DAVIS_PALETTE, dtype=np.uint8).reshape(256, 3)
"""(256, 3) RGB. Only indices matter to the metrics."""
PALETTE.setflags(write=False)


def read_label_image(path: Path) -> NDArray[np.uint8]:
    """The label map (H, W) of an image file.

    Index and 8-bit gray images hold the labels themselves, two-tone images 0 and 1. Colors are looked up in
    DAVIS's palette, for files that some tool has saved without one.

    Raises:
        LabelImageError: Not a readable image, of a kind that cannot hold labels, or with colors that are not
            in the palette (JPEG artifacts, for example).
    """
    try:
        with opened_image(path) as image:
            mode = image.mode
            pixels = np.array(image)
    except (OSError, ForeignImageError) as error:
        raise LabelImageError(f"{path} cannot be read as an image ({error}).") from error
    if mode in {"P", "L"}:
        return pixels.astype(np.uint8, copy=False)
    if mode == "1":
        return pixels.astype(np.uint8)
    if mode == "RGB":
        return _from_colors(path, pixels)
    raise LabelImageError(
        f"{path} is an image of mode {mode}, which holds no labels; save it as an 8-bit PNG with a palette."
    )


def _from_colors(path: Path, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    colors, inverse = np.unique(_packed(pixels), return_inverse=True)
    known = _packed(PALETTE)
    # Colors may be in the palette twice (gray 128 is): the first index counts.
    order = np.argsort(known, kind="stable")
    places = np.searchsorted(known[order], colors).clip(max=len(known) - 1)
    indices = order[places]
    strange = known[indices] != colors
    if strange.any():
        color = int(colors[strange][0])
        raise LabelImageError(
            f"{path} has no palette, and {int(strange.sum())} of its colors are not in that of DAVIS, such "
            f"as {(color >> 16, color >> 8 & 255, color & 255)}; save it as an 8-bit PNG with a palette."
        )
    labels: NDArray[np.uint8] = indices[inverse].astype(np.uint8).reshape(pixels.shape[:2])
    return labels


def _packed(colors: NDArray[np.uint8]) -> NDArray[np.int64]:
    wide = colors.astype(np.int64)
    packed: NDArray[np.int64] = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
    return packed


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
