"""Tables of the sample world under every instruction: the truths of the counterfactual test."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vidrep_pipelines.common.arrays import Pixels
from vidrep_pipelines.common.digest import digest_of
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.common.npz import read_npz
from vidrep_pipelines.data.area_resize import resize_frame
from vidrep_pipelines.data.sample_world.instructions import Instruction
from vidrep_pipelines.data.sample_world.pieces import AGENT
from vidrep_pipelines.data.sample_world.tabletop import CameraName, TabletopConfig, TabletopSeeds
from vidrep_pipelines.data.sample_world.tabletop_episodes import Tabletop
from vidrep_pipelines.fanout.job import Scalar

TABLE_SUFFIX = ".npz"
_RENDERING = 1
"""Version of what equal requests lead to: raised when the pictures change."""
_ARRAYS = ("texts", "truths", "masks")


@dataclass(frozen=True)
class TableRequest:
    """A table that is filmed under all of its instructions.

    Attributes:
        name: What it is called.
        config: Look and pace of the world.
        seeds: What the table follows from.
        camera: Which camera films.
        moments: Frames F of an episode that are kept.
        size: Height and width of the kept frames in pixels.
    """

    name: str
    config: TabletopConfig
    seeds: TabletopSeeds
    camera: CameraName
    moments: tuple[int, ...]
    size: tuple[int, int]

    @property
    def digest(self) -> str:
        """Changes with all that the pictures depend on."""
        return digest_of(_RENDERING, self.config, self.seeds, self.camera, self.moments, self.size)


@dataclass(frozen=True, eq=False)
class CounterfactualTable:
    """One first frame and what happens after it under each of K instructions.

    Attributes:
        name: The table.
        instructions: K instructions.
        truths: (K, F, H, W, 3) uint8; the first frames are equal to the byte.
        masks: (K, F, H, W) bool: where the object that the instruction names is seen.
    """

    name: str
    instructions: tuple[Instruction, ...]
    truths: Pixels
    masks: NDArray[np.bool_]

    @property
    def texts(self) -> list[str]:
        """The K instructions as sentences."""
        return [instruction.text for instruction in self.instructions]

    @property
    def named(self) -> NDArray[np.str_]:
        """(K,) the object that each instruction names."""
        return np.array([instruction.name for instruction in self.instructions])

    @property
    def objects(self) -> list[str]:
        """All objects that instructions name, sorted."""
        return sorted(set(self.named.tolist()))

    def where(self, name: str) -> NDArray[np.bool_]:
        """(H, W): where an object is seen at first."""
        mask: NDArray[np.bool_] = self.masks[self.named == name][0, 0]
        return mask

    @classmethod
    def read(cls, name: str, path: Path) -> Self:
        """Reads what :func:`film_table` wrote.

        Raises:
            InputError: The file is damaged.
        """
        arrays = read_npz(path, _ARRAYS, "table of the sample world")
        if missing := sorted(set(_ARRAYS) - arrays.keys()):
            raise InputError(f"{path} is damaged: {missing[0]} is missing. Remedy: delete it and run again.")
        instructions = tuple(Instruction.parse(str(text)) for text in arrays["texts"])
        return cls(name, instructions, arrays["truths"], arrays["masks"])


def film_table(request: TableRequest, outputs: Mapping[str, Path]) -> dict[str, Scalar]:
    """Films a table under each of its instructions and writes the kept frames.

    Returns:
        How many instructions there are.
    """
    table = Tabletop(request.config, request.seeds)
    truths, masks = zip(*(_filmed(table, order, request) for order in table.instructions), strict=True)
    np.savez_compressed(
        outputs[TABLE_SUFFIX],
        texts=np.array([order.text for order in table.instructions]),
        truths=np.stack(truths),
        masks=np.stack(masks),
    )
    return {"instructions": len(truths)}


def _filmed(table: Tabletop, order: Instruction, request: TableRequest) -> tuple[Pixels, NDArray[np.bool_]]:
    moments = sorted(set(request.moments))
    film = list(table.film(request.camera, table.run(order), moments))
    places = [moments.index(moment) for moment in request.moments]
    own = AGENT + 1 + table.task(order).target
    frames = np.stack([film[place].pixels for place in places])
    masks = np.stack([film[place].masks == own for place in places])
    height, width = request.size
    return _resized(frames, height, width), _resized_masks(masks, height, width)


def _resized(frames: Pixels, height: int, width: int) -> Pixels:
    return np.stack([resize_frame(frame, height, width) for frame in frames])


def _resized_masks(masks: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    rows, columns = (
        (np.arange(new) * old) // new for new, old in zip((height, width), masks.shape[1:], strict=True)
    )
    return masks[:, rows][:, :, columns]
