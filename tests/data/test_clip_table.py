from pathlib import Path

import pandas as pd

from vidrep_pipelines.data.clip_table import snapshot
from vidrep_pipelines.data.config import LabelFilterConfig
from vidrep_pipelines.data.filtering import filter_clips

from .test_filtering import resized_index, video


def clips(*names: str) -> pd.DataFrame:
    return filter_clips(resized_index(*map(video, names)), LabelFilterConfig()).clips


def test_snapshot_holds_what_training_reads(tmp_path: Path) -> None:
    path = snapshot(clips("wave/ü b", "pour/a"), tmp_path / "new" / "run")
    assert path == tmp_path / "new" / "run" / "clips.parquet"
    table = pd.read_parquet(path)
    assert table.to_dict("list") == {
        "id": ["pour/a", "wave/ü b"],
        "path": ["pour/a.mp4", "wave/ü b.mp4"],
        "frames": [100, 100],
    }
    assert table["frames"].dtype == "int64"


def test_snapshot_replaces_the_former_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    snapshot(clips("pour/a"), tmp_path)
    table = clips("pour/a", "pour/b")
    path = snapshot(table, tmp_path)
    table["path"] = "elsewhere"
    assert pd.read_parquet(path)["path"].tolist() == ["pour/a.mp4", "pour/b.mp4"]
    assert list(tmp_path.iterdir()) == [path]
