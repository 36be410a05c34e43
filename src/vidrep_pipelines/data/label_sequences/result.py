"""What an evaluation found in the sequences of a release, as it is exported for the release's own tools."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class PredictedSequence:
    """One sequence to write.

    Attributes:
        encoder: Folder that it goes to.
        name: The sequence's name.
        frame_names: (T) names of the files without suffix.
        first: The annotation of the first frame, which is copied as it is; None: the first map is written.
        maps: Gives the label maps (T, H, W).
        digest: Changes with them.
    """

    encoder: str
    name: str
    frame_names: tuple[str, ...]
    first: Path | None
    maps: Callable[[], NDArray[np.uint8]]
    digest: str


@dataclass(frozen=True)
class ResultExport:
    """What to write.

    Attributes:
        sequences: Label maps.
        tables: CSV tables by path below the root; numbers get three decimals. Names in them are those of the
            release, exactly: programs read these tables.
    """

    sequences: tuple[PredictedSequence, ...]
    tables: Mapping[str, pd.DataFrame]
