import json
import os
from pathlib import Path

import pytest
import torch
from kedro.io import DatasetError
from safetensors.torch import save_file

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.datasets.checkpoint import CheckpointDataset, CheckpointSource, ExportDescription
from vidrep_pipelines.fanout.config import FanOutConfig


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run" / "step-00000002"
    folder.mkdir(parents=True)
    save_file({"w": torch.arange(6.0).reshape(2, 3)}, folder / "model.safetensors")
    save_file({"w": torch.zeros(2, 3)}, folder / "ema.safetensors")
    (folder / "optimizer.pt").touch()
    return folder


@pytest.fixture
def dataset(tmp_path: Path) -> CheckpointDataset:
    return CheckpointDataset(filepath=tmp_path / "checkpoint")


def test_publishing_links_the_weights_and_writes_the_rest(run: Path, dataset: CheckpointDataset) -> None:
    dataset.save(CheckpointSource(run, config={"fan": FanOutConfig()}, meta={"step": 2, "run": run}))
    checkpoint = dataset.load()
    assert sorted(path.name for path in checkpoint.directory.iterdir()) == [
        "README.md",
        "config.json",
        "meta.json",
        "model.safetensors",
    ]
    assert checkpoint.config["fan"]["engine"] == "local"
    assert checkpoint.meta == {"step": 2, "run": run.as_posix()}
    assert checkpoint.state_dict()["w"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert checkpoint.weights.samefile(run / "model.safetensors")


def test_without_hard_links_the_weights_are_copied(
    run: Path, dataset: CheckpointDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("other file system")

    monkeypatch.setattr(os, "link", refuse)
    dataset.save(CheckpointSource(run, config={}, meta={}))
    assert not dataset.load().weights.samefile(run / "model.safetensors")
    assert dataset.load().state_dict()["w"].shape == (2, 3)


def test_damaged_weights_of_equal_size_are_named(
    run: Path, dataset: CheckpointDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset.save(CheckpointSource(run, config={}, meta={"step": 2}))
    weights = dataset.load().weights
    content = weights.read_bytes()
    weights.write_bytes(content[:-4] + bytes(4))
    with pytest.raises(DatasetError, match=r"model\.safetensors is damaged: its bytes.*pretraining pipeline"):
        dataset.load()
    assert json.loads(dataset.preview())["meta"] == {"step": 2}
    weights.unlink()
    weights.write_bytes(content[:-4] + bytes(4))  # a copy on another disk, where the run's weights are whole
    (run / "model.safetensors").write_bytes(content)
    dataset.save(CheckpointSource(run, config={}, meta={"step": 2}))
    assert dataset.load().state_dict()["w"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_checkpoint_of_an_earlier_version_is_read(run: Path, dataset: CheckpointDataset) -> None:
    dataset.save(CheckpointSource(run, config={}, meta={"step": 2}))
    (dataset.load().directory / "meta.json").write_text('{"step": 2}')
    assert dataset.load().meta == {"step": 2}


def test_a_checkpoint_of_an_earlier_version_gets_a_card(
    run: Path, dataset: CheckpointDataset, tmp_path: Path
) -> None:
    source = CheckpointSource(run, config={"depth": 3}, meta={"system": "rsp", "step": 2})
    dataset.save(source)
    card = tmp_path / "checkpoint" / "README.md"
    text = card.read_text()
    assert "| updates | 2 |" in text and '"depth": 3' in text
    card.unlink()
    inode = (tmp_path / "checkpoint").stat().st_ino
    dataset.save(source)
    assert card.read_text() == text and (tmp_path / "checkpoint").stat().st_ino == inode
    card.write_text("a person's own words")
    dataset.save(source)
    assert card.read_text() == "a person's own words"


def test_without_a_card_a_read_only_checkpoint_is_published_too(
    run: Path, dataset: CheckpointDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = CheckpointSource(run, config={}, meta={"step": 2})
    dataset.save(source)
    card = tmp_path / "checkpoint" / "README.md"
    card.unlink()
    monkeypatch.setattr("vidrep_pipelines.common.atomic.is_read_only", lambda path: True)
    dataset.save(source)
    assert not card.exists()


def test_an_export_is_described_beside_its_weights(
    run: Path, dataset: CheckpointDataset, tmp_path: Path
) -> None:
    dataset.save(CheckpointSource(run, config={"depth": 3}, meta={"system": "rsp", "step": 2}))
    description = ExportDescription(filepath=tmp_path / "out" / "original_checkpoint.json")
    assert not description.exists() and description.preview() == "{}"
    description.save(dataset.load())
    assert description.load() == {"config": {"depth": 3}, "meta": {"system": "rsp", "step": 2}}
    assert json.loads(description.preview()) == description.load()
    assert "original_checkpoint.pth" in (tmp_path / "out" / "README.md").read_text()


def test_what_is_published_already_is_left_alone(
    run: Path, dataset: CheckpointDataset, tmp_path: Path
) -> None:
    source = CheckpointSource(run, config={"rate": 0.1, "size": (2, 3)}, meta={"step": 2})
    dataset.save(source)
    inode = (tmp_path / "checkpoint").stat().st_ino
    dataset.save(source)
    assert (tmp_path / "checkpoint").stat().st_ino == inode
    for changed in (
        CheckpointSource(run, config={"rate": 0.2}, meta={"step": 2}),
        CheckpointSource(run, config={"rate": 0.2}, meta={"step": 3}),
        CheckpointSource(run, config={"rate": 0.2}, meta={"step": 3}, weights="ema.safetensors"),
    ):
        before = (tmp_path / "checkpoint").stat().st_ino
        dataset.save(changed)
        assert (tmp_path / "checkpoint").stat().st_ino != before


def test_a_checkpoint_whose_replacement_was_killed_is_found(
    run: Path, dataset: CheckpointDataset, tmp_path: Path
) -> None:
    """Where names cannot be exchanged, the old folder has a hidden name between two renames."""
    dataset.save(CheckpointSource(run, config={}, meta={"step": 2}))
    (tmp_path / "checkpoint").rename(tmp_path / ".checkpoint.replaced")
    assert dataset.exists()
    assert dataset.load().meta == {"step": 2}


def test_average_instead_of_weights(run: Path, dataset: CheckpointDataset) -> None:
    dataset.save(CheckpointSource(run, config={}, meta={}, weights="ema.safetensors"))
    assert dataset.load().state_dict()["w"].sum() == 0


def test_a_published_folder_can_be_published_again(
    run: Path, dataset: CheckpointDataset, tmp_path: Path
) -> None:
    dataset.save(CheckpointSource(run, config={"a": 1}, meta={"b": 2}))
    second = CheckpointDataset(filepath=tmp_path / "second")
    second.save(dataset.load().directory)
    assert (second.load().config, second.load().meta) == ({"a": 1}, {"b": 2})


def test_incomplete_sources(run: Path, dataset: CheckpointDataset) -> None:
    with pytest.raises(DatasetError, match=r"config\.json cannot be read"):
        dataset.save(run)
    with pytest.raises(DatasetError, match=r"nothing\.safetensors does not exist"):
        dataset.save(CheckpointSource(run, config={}, meta={}, weights="nothing.safetensors"))
    assert not dataset.exists()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "meta.json"])
def test_a_folder_without_all_files_does_not_exist(run: Path, dataset: CheckpointDataset, name: str) -> None:
    dataset.save(CheckpointSource(run, config={}, meta={}))
    (dataset.load().directory / name).unlink()
    assert not dataset.exists()
    assert dataset.preview() == "{}"


def test_damaged_files_are_named(run: Path, dataset: CheckpointDataset) -> None:
    dataset.save(CheckpointSource(run, config={}, meta={}))
    checkpoint = dataset.load()
    os.truncate(checkpoint.weights, 100)
    with pytest.raises(InputError, match=r"model\.safetensors cannot be read"):
        checkpoint.state_dict()
    (checkpoint.directory / "config.json").write_text("[1]")
    with pytest.raises(DatasetError, match=r"config\.json holds no JSON object"):
        dataset.load()
    (checkpoint.directory / "config.json").write_text("{")
    with pytest.raises(DatasetError, match=r"config\.json cannot be read"):
        dataset.load()
    assert json.loads(dataset.preview()) == {}
