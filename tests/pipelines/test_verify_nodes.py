import os
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load, load_file, save_file

from tests.fanout.item_functions import write_value
from tests.fanout.jobs import SERIAL, executions, faulty_job, products, value_job
from tests.training.toy_task import TOY_TRAIN, losses, toy_spec
from vidrep_pipelines.common.digest import digest_of_file
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.datasets.checkpoint import CheckpointDataset, CheckpointSource
from vidrep_pipelines.fanout.bookkeeping import Bookkeeping
from vidrep_pipelines.fanout.job import Scalar
from vidrep_pipelines.fanout.manifest import read_manifest
from vidrep_pipelines.fanout.runner import run_job
from vidrep_pipelines.pipelines.verify.data_folder_nodes import VerifyConfig, check_products, settle_damage
from vidrep_pipelines.training.checkpoint import list_checkpoints
from vidrep_pipelines.training.loop import run_training


def _replaced(path: Path) -> tuple[str, str]:
    """Noise of equal size and with the same times, as a disk's fault leaves it; digests before and after."""
    before, status = digest_of_file(path), path.stat()
    path.write_bytes(bytes(255 - byte for byte in path.read_bytes()))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return before, digest_of_file(path)


def test_checksums_of_all_products_are_recorded(tmp_path: Path) -> None:
    parts = run_job(value_job([1, 2]), tmp_path)
    for suffix in parts.suffixes:
        assert parts.checksums(suffix) == {
            name: digest_of_file(parts.path(name, suffix)) for name in parts.ids
        }


def test_damage_of_equal_size_is_found_removed_and_made_again(tmp_path: Path) -> None:
    job = value_job(range(4), log=str(tmp_path / "log"))
    clips = run_job(job, tmp_path / "03_primary/clips")
    run_job(faulty_job({"x": None, "y": "raise"}, SERIAL), tmp_path / "07_model_output/codes")
    whole = products(clips.folder)
    damaged, gone = clips.path("folder_1/item 1", ".more.txt"), clips.path("folder_0/item 2")
    expected, found = _replaced(damaged)
    gone_checksum = digest_of_file(gone)
    gone.unlink()
    assert run_job(value_job([1]), tmp_path / "elsewhere").ids  # not below the root

    verify = VerifyConfig(root=tmp_path, threads=2)
    table, report = check_products(verify)
    assert sorted(table[["file", "expected", "found"]].itertuples(index=False, name=None)) == [
        (str(gone), gone_checksum, "missing"),
        (str(damaged), expected, found),
    ]
    assert table["remedy"].str.contains("03_primary/clips").all()
    assert report["files"] == 8 + 1 + 2 and report["damaged"] == 2
    with pytest.raises(InputError, match=r"2 files .*not as they were written[\s\S]*remove_damaged=true"):
        settle_damage(table, verify)
    assert damaged.exists()

    settle_damage(table, verify.model_copy(update={"remove_damaged": True}))
    assert not damaged.exists()
    run_job(job, clips.folder)
    assert executions(tmp_path / "log") == [0, 1, 2, 3, 1, 2]
    assert products(clips.folder) == whole
    table, report = check_products(verify)
    assert table.empty and report["damaged"] == 0
    settle_damage(table, verify)


def _sevens(payload: Mapping[str, Any], outputs: Mapping[str, Path]) -> Mapping[str, Scalar]:
    if payload["value"] == 2:
        raise KeyboardInterrupt
    return write_value({"value": 7}, outputs)


@pytest.mark.parametrize(
    ("values", "shard"), [([1, 2], None), ([1, 3], "1/1")], ids=["stopped", "not merged"]
)
def test_what_an_unfinished_run_made_again_is_not_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, values: list[int], shard: str | None
) -> None:
    job, folder = value_job(values), tmp_path / "clips"
    run_job(job, folder)
    again = replace(job, items=[replace(item, digest="another") for item in job.items])
    with pytest.raises(KeyboardInterrupt) if shard is None else nullcontext():
        run_job(replace(again, function=_sevens, config=SERIAL.model_copy(update={"shard": shard})), folder)
    assert products(folder)["folder_1/item 1.txt"] == b".txt 7"
    verify = VerifyConfig(root=tmp_path)
    table, report = check_products(verify)
    assert table.empty and report["files"] == 0
    assert f"{folder} is left out: values is not finished" in caplog.text

    run_job(again, folder)
    table, report = check_products(verify)
    assert table.empty and report["files"] == 4


def test_products_of_earlier_versions_are_left_out(tmp_path: Path) -> None:
    run_job(value_job([1]), tmp_path / "old")
    part = Bookkeeping(tmp_path / "old").manifest / "part-00000.parquet"
    pq.write_table(read_manifest(part.parent).drop_columns(["checksums"]), part)
    run_job(value_job([1]), tmp_path / "old")
    table, report = check_products(VerifyConfig(root=tmp_path))
    assert table.empty and report["files"] == 0


def test_a_root_without_products_is_fine(tmp_path: Path) -> None:
    table, report = check_products(VerifyConfig(root=tmp_path))
    assert list(table.columns) == ["file", "expected", "found", "remedy"] and report["files"] == 0
    assert isinstance(table, pd.DataFrame)


def _damaged(root: Path) -> list[str]:
    """What is found below ``root``, which is then removed."""
    verify = VerifyConfig(root=root, threads=1, remove_damaged=True)
    table, report = check_products(verify)
    assert report["damaged"] == len(table)
    settle_damage(table, verify)
    return [Path(file).relative_to(root).as_posix() for file in table["file"]]


def test_a_damaged_checkpoint_is_removed_and_training_goes_on_from_the_one_before(tmp_path: Path) -> None:
    spec = toy_spec(tmp_path)
    whole = run_training(spec)
    assert _damaged(tmp_path) == []
    weights = load((whole.checkpoint / "model.safetensors").read_bytes())
    logged = losses(tmp_path)
    newest, before, *_ = list_checkpoints(whole.checkpoint.parent)
    assert newest == whole.checkpoint
    _replaced(newest / "model.safetensors")

    verify = VerifyConfig(root=tmp_path)
    table, _ = check_products(verify)
    (remedy,) = table["remedy"]
    assert str(newest) in remedy and "newest checkpoint that is whole" in remedy
    with pytest.raises(InputError, match=r"step-00000012/model\.safetensors"):
        settle_damage(table, verify)
    assert newest.is_dir()

    assert _damaged(tmp_path) == [(newest / "model.safetensors").relative_to(tmp_path).as_posix()]
    assert list_checkpoints(newest.parent)[0] == before
    again = run_training(spec)
    assert again.resumed_from == int(before.name.removeprefix("step-"))
    assert losses(tmp_path) == logged
    for name, value in load_file(again.checkpoint / "model.safetensors").items():
        assert torch.equal(value, weights[name])
    assert _damaged(tmp_path) == []


def test_checkpoints_of_former_runs_and_damaged_states_are_found(tmp_path: Path) -> None:
    former = run_training(toy_spec(tmp_path))
    spec = toy_spec(tmp_path, train=TOY_TRAIN.model_copy(update={"seed": 5}))
    now = run_training(spec)
    logged = losses(tmp_path)
    (kept,) = (now.run_directory.parent / "previous").iterdir()
    old, new = kept / "checkpoints" / former.checkpoint.name, now.checkpoint
    _replaced(old / "model.safetensors")
    (new / "state.json").write_text("{")
    (list_checkpoints(new.parent)[1] / "optimizer.pt").unlink()
    report = check_products(VerifyConfig(root=tmp_path))[1]
    assert {str(kept), str(now.run_directory)} <= report["folders"].keys()
    found = [
        kept / "checkpoints" / old.name / "model.safetensors",
        new / "state.json",
        list_checkpoints(new.parent)[1] / "optimizer.pt",
    ]
    assert sorted(_damaged(tmp_path)) == sorted(path.relative_to(tmp_path).as_posix() for path in found)
    assert not any(path.parent.exists() for path in found)
    assert list_checkpoints(new.parent) == [] and len(list_checkpoints(old.parent)) == 1
    again = run_training(spec)  # no checkpoint is left
    assert (again.status, again.resumed_from) == ("trained", 0) and losses(tmp_path) == logged
    back = run_training(toy_spec(tmp_path))
    assert back.resumed_from == 8


def test_the_optimizer_of_a_finished_run_and_what_is_not_ours_are_left_alone(tmp_path: Path) -> None:
    result = run_training(toy_spec(tmp_path))
    _replaced(result.checkpoint / "optimizer.pt")
    foreign = tmp_path / "01_raw/someone/checkpoints/step-1"
    foreign.mkdir(parents=True)
    (tmp_path / "01_raw/meta.json").write_text("[1]")
    (tmp_path / "01_raw/config.json").write_text("{}")
    assert _damaged(tmp_path) == []
    assert foreign.is_dir() and result.checkpoint.is_dir()


def test_damaged_published_weights_are_removed_and_published_again(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    save_file({"w": torch.arange(3.0)}, run / "model.safetensors")
    published = CheckpointDataset(filepath=str(tmp_path / "06_models/published"))
    source = CheckpointSource(run, config={"width": 3}, meta={"step": 1})
    published.save(source)
    weights = tmp_path / "06_models/published/model.safetensors"
    copy = weights.read_bytes()
    weights.unlink()  # the file of the run is the same one
    weights.write_bytes(copy)
    assert _damaged(tmp_path) == []
    _replaced(weights)
    assert _damaged(tmp_path) == ["06_models/published/model.safetensors"]
    assert not published.exists()
    published.save(source)
    assert torch.equal(published.load().state_dict()["w"], torch.arange(3.0))
