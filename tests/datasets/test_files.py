"""Particulars of the datasets of single files and of video folders."""

import io
import json
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.io import DatasetError
from PIL import Image

from tests.fanout.jobs import SERIAL, faulty_job
from vidrep_pipelines.datasets.label_list import LabelList
from vidrep_pipelines.datasets.picture import Picture
from vidrep_pipelines.datasets.tables import AtomicJson, AtomicParquet
from vidrep_pipelines.datasets.torch_weights import TorchWeights
from vidrep_pipelines.datasets.video_folder import VideoFolder
from vidrep_pipelines.fanout.runner import run_job


class Malicious:
    """Creates a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.target,)


@dataclass
class Result:
    loss: float
    where: Path


def test_json_takes_configs_and_numpy_and_shows_what_browsers_know(tmp_path: Path) -> None:
    dataset = AtomicJson(filepath=tmp_path / "x.json")
    dataset.save({"result": Result(np.nan, Path("a/b")), "n": np.int64(3), "list": (1, float("inf"))})
    assert dataset.load()["result"]["where"] == "a/b"
    assert json.loads(dataset.preview()) == {
        "result": {"loss": None, "where": "a/b"},
        "n": 3,
        "list": [1, None],
    }


def test_torn_files_are_errors_that_name_the_file(tmp_path: Path) -> None:
    kinds: list[type[AtomicJson] | type[AtomicParquet] | type[Picture]] = [AtomicJson, AtomicParquet, Picture]
    for kind in kinds:
        (tmp_path / "x").write_bytes(b'{"a": ')
        with pytest.raises(DatasetError, match=f"{tmp_path}/x"):
            kind(filepath=tmp_path / "x").load()
    assert AtomicJson(filepath=tmp_path / "x").preview() == "{}"
    assert AtomicParquet(filepath=tmp_path / "x").preview() == {}


def test_parquet_keeps_named_indexes_only(tmp_path: Path) -> None:
    dataset = AtomicParquet(filepath=tmp_path / "x.parquet")
    frame = pd.DataFrame({"a": [1, 2, 3]}, index=[7, 8, 9])
    dataset.save(frame)
    assert dataset.load().index.tolist() == [0, 1, 2]
    dataset.save(frame.rename_axis("key"))
    assert dataset.load().index.tolist() == [7, 8, 9]
    assert dataset.preview(rows=2)["data"] == [[1], [2]]


def test_empty_table_has_an_empty_preview(tmp_path: Path) -> None:
    dataset = AtomicParquet(filepath=tmp_path / "x.parquet")
    dataset.save(pd.DataFrame({"a": [1]}).iloc[:0])
    assert dataset.load().columns.tolist() == ["a"]
    assert not dataset.preview().get("data")


def test_picture_from_encoded_bytes(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("L", (5, 2), 200).save(stream, "PNG")
    dataset = Picture(filepath=tmp_path / "x.png")
    dataset.save(stream.getvalue())
    assert (tmp_path / "x.png").read_bytes() == stream.getvalue()
    assert dataset.load().size == (5, 2)
    with pytest.raises(DatasetError, match="no PNG file"):
        dataset.save(b"GIF89a")
    assert dataset.load().getpixel((0, 0)) == 200


@pytest.mark.parametrize("kind", [LabelList, TorchWeights])
def test_malicious_pickles_execute_nothing(
    tmp_path: Path, kind: type[LabelList] | type[TorchWeights]
) -> None:
    target = tmp_path / "executed"
    (tmp_path / "plain").write_bytes(pickle.dumps([Malicious(target)]))
    torch.save({"model": Malicious(target)}, tmp_path / "torch")
    for name in ("plain", "torch"):
        with pytest.raises(DatasetError, match=name):
            kind(filepath=tmp_path / name).load()
    assert not target.exists()


def test_truncated_weights_are_named(tmp_path: Path) -> None:
    dataset = TorchWeights(filepath=tmp_path / "w.pth")
    dataset.save({"w": torch.zeros(100)})
    (tmp_path / "w.pth").write_bytes((tmp_path / "w.pth").read_bytes()[:200])
    with pytest.raises(DatasetError, match=r"w\.pth was not read"):
        dataset.load()


def test_videos_are_found_at_any_depth(tmp_path: Path) -> None:
    for name in (
        "a.mp4",
        "b/c d.mp4",
        "b/e/ü.f.mp4",
        "b/notes.txt",
        ".hidden/x.mp4",
        "b/.partial.mp4",
        "b/g.MP4",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    videos = VideoFolder(filepath=tmp_path).load()
    assert videos.ids == ["a", "b/c d", "b/e/ü.f"]
    assert videos.path("b/c d") == tmp_path / "b" / "c d.mp4"
    assert VideoFolder(filepath=tmp_path, suffix=".MP4").load().ids == ["b/g"]


def test_videos_of_a_job_are_those_that_succeeded(tmp_path: Path) -> None:
    run_job(faulty_job({"a": None, "b": "raise"}, SERIAL), tmp_path)
    (tmp_path / "stray.txt").touch()
    dataset = VideoFolder(filepath=tmp_path, suffix=".txt")
    assert dataset.exists()
    assert dataset.load().ids == ["a"]


def test_frames_of_a_video(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        for number in range(6):
            picture = np.full((16, 32, 3), 40 * number, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    frames = VideoFolder(filepath=tmp_path).load().frames("clip", [5, 0, 2])
    assert frames.shape == (3, 16, 32, 3)
    assert frames.dtype == np.uint8
    assert np.abs(frames.mean((1, 2, 3)) - [200, 0, 80]).max() < 6


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"PAR1 nothing PAR1"])
def test_damaged_tables_and_data_name_the_file_and_the_remedy(tmp_path: Path, content: bytes) -> None:
    for dataset in (AtomicJson(filepath=tmp_path / "a"), AtomicParquet(filepath=tmp_path / "a")):
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(DatasetError, match=r"(?s)/a is damaged.*Remedy: delete it"):
            dataset.load()
