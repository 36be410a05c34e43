"""Tables and handles as the stages pass them on."""

from pathlib import Path

import pandas as pd
import pytest

from vidrep_pipelines.fanout.parts import Parts


@pytest.fixture
def clips() -> pd.DataFrame:
    """Two kept clips."""
    return pd.DataFrame(
        {
            "id": ["drop/b", "pour/a"],
            "class_id": [0, 1],
            "path": ["drop/b.mp4", "pour/a.mp4"],
            "frames": [30, 20],
            "digest": ["b0", "a0"],
        }
    )


@pytest.fixture
def videos(tmp_path: Path) -> Parts:
    """The handle on resized clips, none of which is opened."""
    return Parts(tmp_path / "resized_videos", pd.DataFrame(), (".mp4", ".packets"))
