"""The table of clips as training reads it."""

from pathlib import Path

import pandas as pd

from vidrep_pipelines.common.atomic import atomic_file

_TRAINING_COLUMNS = ["id", "path", "frames"]


def snapshot(clips: pd.DataFrame, directory: Path) -> Path:
    """Writes the columns that training needs to ``directory/clips.parquet`` and returns its path.

    A run keeps its own copy: worker processes and other machines read it, and it stays what it was when
    the catalog's table changes.
    """
    path = directory / "clips.parquet"
    with atomic_file(path) as temporary:
        clips[_TRAINING_COLUMNS].to_parquet(temporary, index=False)
    return path
