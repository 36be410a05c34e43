"""What every dataset class promises."""

import inspect
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from kedro.io import AbstractDataset, DatasetError
from PIL import Image
from safetensors.torch import save_file

from tests.fanout.jobs import value_job
from vidrep_pipelines.common import atomic
from vidrep_pipelines.datasets.checkpoint import Checkpoint, CheckpointDataset, CheckpointSource
from vidrep_pipelines.datasets.checkpoints import CheckpointsDataset
from vidrep_pipelines.datasets.hdf5_store import ArrayStore, Hdf5Store
from vidrep_pipelines.datasets.label_list import LabelList
from vidrep_pipelines.datasets.partitioned_parquet import PartitionedParquet
from vidrep_pipelines.datasets.picture import Picture
from vidrep_pipelines.datasets.resumable_parts import ResumableParts
from vidrep_pipelines.datasets.run_records import RunRecords
from vidrep_pipelines.datasets.tables import AtomicJson, AtomicParquet
from vidrep_pipelines.datasets.torch_weights import TorchWeights
from vidrep_pipelines.datasets.training_spec import TrainingSpecFile
from vidrep_pipelines.datasets.video_file import Film, VideoFile
from vidrep_pipelines.datasets.video_folder import VideoFolder, Videos
from vidrep_pipelines.fanout.parts import Parts


@dataclass(frozen=True)
class Case:
    """A dataset class with two different contents.

    Attributes:
        kind: The class.
        file: Name of its file or folder.
        make: Gives what to save (or, for a class that only reads, fills the folder): (folder, which content).
        seen: Turns what was loaded into something comparable.
        preview: Name of the preview's type.
        reads_only: Whether it cannot save.
    """

    kind: type[AbstractDataset[Any, Any]]
    file: str
    make: Callable[[Path, int], Any]
    seen: Callable[[Any], Any]
    preview: str
    reads_only: bool = False

    def dataset(self, folder: Path) -> AbstractDataset[Any, Any]:
        return self.kind(filepath=str(folder / self.file))  # type: ignore[call-arg]

    def put(self, folder: Path, content: int) -> None:
        """Stores the content."""
        data = self.make(folder, content)
        if not self.reads_only:
            self.dataset(folder).save(data)


def _table(folder: Path, content: int) -> pd.DataFrame:
    return pd.DataFrame({"id": ["a", "b"], "frames": pd.array([content, None], "Int64"), "x": [0.5, np.nan]})


def _checkpoint(folder: Path, content: int) -> CheckpointSource:
    run = folder / "run"
    run.mkdir(exist_ok=True)
    (run / "model.safetensors").unlink(missing_ok=True)
    save_file({"weight": torch.full((2,), float(content))}, run / "model.safetensors")
    return CheckpointSource(run, config={"width": content}, meta={"step": content})


def _checkpoint_seen(checkpoint: Checkpoint) -> object:
    return checkpoint.config, checkpoint.meta, checkpoint.state_dict()["weight"].tolist()


def _videos(folder: Path, content: int) -> None:
    (folder / "videos" / "class").mkdir(parents=True, exist_ok=True)
    (folder / "videos" / "class" / f"clip {content}.mp4").touch()


def _arrays(folder: Path, content: int) -> None:
    (folder / "arrays").mkdir(exist_ok=True)
    with h5py.File(folder / "arrays" / "clip.h5", "w") as file:
        file["values"] = np.full(3, content)


def _picture_seen(picture: Image.Image) -> object:
    return picture.size, picture.getpixel((0, 0))


CASES = [
    Case(
        ResumableParts,
        "parts",
        lambda _, n: value_job([n]),
        lambda p: p.table["value"].tolist(),
        "TablePreview",
    ),
    Case(AtomicParquet, "t.parquet", _table, lambda t: t.to_json(), "TablePreview"),
    Case(PartitionedParquet, "t.parquet", _table, lambda t: t.to_pandas().to_json(), "TablePreview"),
    Case(AtomicJson, "d/t.json", lambda _, n: {"é": [n, None, 1.5]}, lambda value: value, "JSONPreview"),
    Case(TrainingSpecFile, "m/toy/s.json", lambda _, n: {"seed": n}, lambda value: value, "JSONPreview"),
    Case(Picture, "p.png", lambda _, n: Image.new("RGB", (4, 3), (n, 0, 9)), _picture_seen, "ImagePreview"),
    Case(
        LabelList,
        "l.pickle",
        lambda _, n: [(0, "a/x.mp4"), (n, "b/y.mp4")],
        lambda rows: rows,
        "TablePreview",
    ),
    Case(CheckpointDataset, "checkpoint", _checkpoint, _checkpoint_seen, "JSONPreview"),
    Case(
        CheckpointsDataset,
        "models",
        lambda folder, n: {"one": _checkpoint(folder, n)},
        lambda checkpoints: {name: _checkpoint_seen(one) for name, one in checkpoints.items()},
        "JSONPreview",
    ),
    Case(
        TorchWeights,
        "w.pth",
        lambda _, n: {"model": {"w": torch.full((2,), n)}, "epoch": n},
        lambda value: (value["model"]["w"].tolist(), value["epoch"]),
        "JSONPreview",
    ),
    Case(
        RunRecords,
        "runs",
        lambda _, n: {"run": "a", "psnr": float(n)},
        lambda table: table.to_dict("records"),
        "TablePreview",
    ),
    Case(
        VideoFile,
        "film.mp4",
        lambda _, n: Film(np.full((n, 16, 32, 3), 128, np.uint8), 4),
        lambda frames: frames.shape,
        "JSONPreview",
    ),
    Case(VideoFolder, "videos", _videos, lambda videos: videos.ids, "TablePreview", reads_only=True),
    Case(
        Hdf5Store,
        "arrays",
        _arrays,
        lambda store: store.read("clip", "values").tolist(),
        "TablePreview",
        reads_only=True,
    ),
]
EXPECTED = {
    "ResumableParts": [3],
    "AtomicParquet": '{"id":{"0":"a","1":"b"},"frames":{"0":3,"1":null},"x":{"0":0.5,"1":null}}',
    "PartitionedParquet": '{"id":{"0":"a","1":"b"},"frames":{"0":3,"1":null},"x":{"0":0.5,"1":null}}',
    "AtomicJson": {"é": [3, None, 1.5]},
    "TrainingSpecFile": {"seed": 3},
    "Picture": ((4, 3), (3, 0, 9)),
    "LabelList": [(0, "a/x.mp4"), (3, "b/y.mp4")],
    "CheckpointDataset": ({"width": 3}, {"step": 3}, [3.0, 3.0]),
    "CheckpointsDataset": {"one": ({"width": 3}, {"step": 3}, [3.0, 3.0])},
    "TorchWeights": ([3, 3], 3),
    "RunRecords": [{"run": "a", "psnr": 3.0}],
    "VideoFile": (3, 16, 32, 3),
    "VideoFolder": ["class/clip 3"],
    "Hdf5Store": [3, 3, 3],
}
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind.__name__)
every_writer = pytest.mark.parametrize(
    "case", [case for case in CASES if not case.reads_only], ids=lambda case: case.kind.__name__
)


@every_case
def test_what_is_stored_comes_back(case: Case, tmp_path: Path) -> None:
    assert not case.dataset(tmp_path).exists()
    case.put(tmp_path, 3)
    assert case.dataset(tmp_path).exists()
    assert case.seen(case.dataset(tmp_path).load()) == EXPECTED[case.kind.__name__]


@every_case
def test_missing_data(case: Case, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=str(tmp_path)):
        case.dataset(tmp_path).load()


@every_case
def test_dataset_travels_to_other_processes(case: Case, tmp_path: Path) -> None:
    case.put(tmp_path, 3)
    copy = pickle.loads(pickle.dumps(case.dataset(tmp_path)))
    assert case.seen(copy.load()) == EXPECTED[case.kind.__name__]


@every_case
def test_description_names_the_path_and_no_secret(case: Case, tmp_path: Path) -> None:
    assert str(tmp_path) in repr(case.dataset(tmp_path))
    with pytest.raises(DatasetError, match="local disk, not a s3:// address") as caught:
        case.kind(filepath="s3://user:secret@bucket/x")  # type: ignore[call-arg]
    assert "secret" not in str(caught.value)


@every_case
def test_preview(case: Case, tmp_path: Path) -> None:
    dataset: Any = case.dataset(tmp_path)
    assert inspect.signature(dataset.preview).return_annotation.__name__ == case.preview
    missing = dataset.preview()
    assert missing in ({}, "", "{}")
    case.put(tmp_path, 3)
    shown = dataset.preview()
    assert shown != missing
    text = json.dumps(shown, allow_nan=False)
    assert case.preview == "ImagePreview" or len(text) > 10


@every_case
def test_metadata_is_kept_for_kedro_viz(case: Case, tmp_path: Path) -> None:
    config = {
        "type": f"{case.kind.__module__}.{case.kind.__name__}",
        "filepath": str(tmp_path / case.file),
        "metadata": {"kedro-viz": {"layer": "primary"}},
    }
    dataset: Any = AbstractDataset.from_config("name", config)
    assert dataset.metadata == {"kedro-viz": {"layer": "primary"}}
    assert type(dataset) is case.kind


@every_writer
def test_a_crash_while_saving_leaves_the_old_content(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.put(tmp_path, 3)
    before = sorted(tmp_path.rglob("*"))
    data = case.make(tmp_path, 5)

    def crash(path: Path) -> None:
        raise MemoryError(f"before {path} got its name")

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "_flush", crash)
        with pytest.raises(DatasetError, match="got its name"):
            case.dataset(tmp_path).save(data)
    if case.kind is not ResumableParts:  # its unit is the item, see tests/fanout
        assert case.seen(case.dataset(tmp_path).load()) == EXPECTED[case.kind.__name__]
    assert [path for path in sorted(tmp_path.rglob("*")) if atomic.TEMPORARY_MARK in path.name] == []
    case.dataset(tmp_path).save(data)
    assert case.seen(case.dataset(tmp_path).load()) != EXPECTED[case.kind.__name__]
    assert set(before) <= set(tmp_path.rglob("*")) or case.kind is ResumableParts


@every_case
def test_only_readers_refuse_to_save(case: Case, tmp_path: Path) -> None:
    if case.reads_only:
        with pytest.raises(DatasetError, match="only reads"):
            case.dataset(tmp_path).save("anything")
    else:
        case.put(tmp_path, 3)
        assert case.dataset(tmp_path).exists()


@every_case
def test_handles_travel(case: Case, tmp_path: Path) -> None:
    case.put(tmp_path, 3)
    loaded = case.dataset(tmp_path).load()
    if isinstance(loaded, Parts | Checkpoint | Videos | ArrayStore):
        case.seen(loaded)
    copy = pickle.loads(pickle.dumps(loaded))
    assert case.seen(copy) == EXPECTED[case.kind.__name__]
