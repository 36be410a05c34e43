from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError

from vidrep_pipelines.data.labelled_videos.frame_embeddings import write_embeddings
from vidrep_pipelines.datasets.frame_embeddings import FrameEmbeddingsDataset
from vidrep_pipelines.fanout.config import FanOutConfig
from vidrep_pipelines.fanout.job import Item, Job


def embed(payload: tuple[int, Path], outputs: Mapping[str, Path]) -> dict[str, int]:
    frames, fault = payload
    if fault.exists():
        raise ValueError("no frames today")
    write_embeddings(outputs[".h5"], np.full((frames, 2), frames, np.float32))
    return {"frames": frames}


def job(folder: Path, version: str = "1") -> Job:
    items = [
        Item(f"train/{name}", (frames, folder / f"fault_{name}"), version)
        for name, frames in (("a", 2), ("b", 3))
    ]
    return Job("embeddings", embed, items, (".h5",), FanOutConfig(engine="serial"))


def test_saving_embeds_and_loading_gives_the_handle(tmp_path: Path) -> None:
    dataset = FrameEmbeddingsDataset(filepath=tmp_path / "embeddings")
    assert not dataset.exists() and dict(dataset.preview()) == {}
    dataset.save(job(tmp_path))
    found = dataset.load()
    assert dataset.exists() and found.ids == ("train/a", "train/b")
    assert found.of("train/b").tolist() == [[3, 3]] * 3
    assert dict(dataset.preview())["data"][0][0] == "train/a"
    dataset.save(job(tmp_path, "2"))
    assert dataset.load().content_digest != found.content_digest


def test_a_video_that_cannot_be_embedded_stops_and_is_tried_again(tmp_path: Path) -> None:
    dataset = FrameEmbeddingsDataset(filepath=tmp_path / "embeddings")
    fault = tmp_path / "fault_b"
    fault.touch()
    with pytest.raises(DatasetError, match=r"1 of 2 videos .* train/b: .*no frames today"):
        dataset.save(job(tmp_path))
    assert not dataset.exists()
    fault.unlink()
    dataset.save(job(tmp_path))
    assert dataset.load().ids == ("train/a", "train/b")


def test_a_shard_ends_the_run_until_all_are_there(tmp_path: Path) -> None:
    dataset = FrameEmbeddingsDataset(filepath=tmp_path / "embeddings")
    for shard in ("1/2", "2/2"):
        with pytest.raises(SystemExit):
            dataset.save(replace(job(tmp_path), config=FanOutConfig(engine="serial", shard=shard)))
    assert not dataset.exists()
    dataset.save(job(tmp_path))
    assert dataset.load().ids == ("train/a", "train/b")
