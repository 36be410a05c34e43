"""Videos in an object store, from listing to resized clips."""

from pathlib import Path

import pandas as pd
import pytest

from tests.helpers import videos
from tests.helpers.object_store import BUCKET, object_store, upload
from tests.helpers.project import TINY, merged, run_pipeline


@pytest.mark.slow
def test_clips_of_an_object_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local = tmp_path / "videos"
    videos.write_video(local / "pour" / "a clip.mp4", 12)
    videos.write_video(local / "wave" / "b.mkv", 12, seed=1)
    (local / "wave" / "text.mp4").write_text("this is not a video\n" * 50)
    with object_store(monkeypatch) as client:
        upload(client, local, "raw")
        root = f"s3://{BUCKET}/raw"
        run_pipeline("prepare_clips", tmp_path / "remote", merged(TINY, {"ingest": {"root": root}}))
    run_pipeline("prepare_clips", tmp_path / "local", merged(TINY, {"ingest": {"root": str(local)}}))
    kept, expected = (
        pd.read_parquet(tmp_path / place / "05_model_input/clip_table.parquet")
        for place in ("remote", "local")
    )
    assert kept["id"].tolist() == expected["id"].tolist() == ["pour/a clip", "wave/b"]
    assert kept["source_path"].tolist() == [f"{root}/pour/a clip.mp4", f"{root}/wave/b.mkv"]
    for clip in kept["path"]:
        resized = Path("03_primary/resized_videos") / clip
        assert (tmp_path / "remote" / resized).read_bytes() == (tmp_path / "local" / resized).read_bytes()
    dropped = pd.read_parquet(tmp_path / "remote/08_reporting/label_filter/dropped_clips.parquet")
    assert dropped[["id", "source_path"]].to_numpy().tolist() == [["wave/text", f"{root}/wave/text.mp4"]]
    assert "text file" in dropped["reason"][0] and "/dev/fd" not in dropped["reason"][0]
