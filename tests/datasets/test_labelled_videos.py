from pathlib import Path

import pytest
from kedro.io import DatasetError

from tests.data.labelled_videos.test_frame_labels import videos
from vidrep_pipelines.datasets.labelled_videos import LabelledVideosDataset


def test_saved_index_is_loaded_and_shown(tmp_path: Path) -> None:
    dataset = LabelledVideosDataset(filepath=tmp_path / "index")
    assert not dataset.exists()
    with pytest.raises(DatasetError, match="does not exist"):
        dataset.load()
    assert dict(dataset.preview()) == {}
    dataset.save(videos(3, 2, 4))
    assert dataset.exists()
    assert dataset.load().digest == videos(3, 2, 4).digest
    shown = dict(dataset.preview())
    assert shown["columns"] == ["split", "action", "videos", "frames", "labelled_frames"]
    assert ["train", "wave", 1, 4, 4] in shown["data"]
