"""Bad videos and bad parameters: each has a clear outcome, and none of them costs the good clips."""

import errno
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from kedro.io import DatasetError

from tests.helpers import videos
from tests.helpers.project import TINY, merged, run_pipeline
from vidrep_pipelines.common.errors import VidrepError


def prepare(root: Path, data: Path, **parameters: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Filters the clips of a folder, in this process and without pictures; the kept and the dropped clips."""
    own = {"ingest": {"root": str(root)}, "fanout": {"engine": "serial"}}
    run_pipeline("prepare_clips", data, merged(TINY, own, parameters), to_nodes=["label_filter.filter_clips"])
    return clips_of(data)


def clips_of(data: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The kept and the dropped clips, by id."""
    kept = pd.read_parquet(data / "05_model_input/clip_table.parquet")
    dropped = pd.read_parquet(data / "08_reporting/label_filter/dropped_clips.parquet")
    return kept.set_index("id"), dropped.set_index("id")


@pytest.fixture(scope="module")
def mixed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two good clips among everything that can be wrong with a file."""
    root = tmp_path_factory.mktemp("mixed")
    good = videos.write_video(root / "a class" / "good clip.mp4", 20)
    videos.write_video(root / "a class" / "ünï cødé 視頻.mp4", 20, seed=1)
    bad = root / "bad"
    bad.mkdir()
    (bad / "zero.mp4").write_bytes(b"")
    (bad / "text.mp4").write_text("this is not a video\n" * 50)
    videos.write_audio_only(bad / "sound.mp4")
    videos.write_video(bad / "one.mp4", 1)
    videos.remove_moov(videos.write_video(bad / "interrupted.mp4", 20))
    videos.truncate(Path(shutil.copy(good, bad / "cut.mp4")), 0.4)
    (bad / "broken_link.mp4").symlink_to(bad / "nowhere.mp4")
    (bad / "loop").symlink_to(root)
    odd = root / "odd"
    videos.write_video(odd / "odd size.mp4", 20, width=98, height=66)
    videos.set_rotation(videos.write_video(odd / "turned.mp4", 20), 90)
    return root


@pytest.fixture(scope="module")
def mixed_result(
    mixed_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, pd.DataFrame, pd.DataFrame]:
    data = tmp_path_factory.mktemp("mixed-data")
    run_pipeline("prepare_clips", data, merged(TINY, {"ingest": {"root": str(mixed_folder)}}))
    return data, *clips_of(data)


def test_good_clips_among_bad_ones_are_kept(mixed_result: tuple[Path, pd.DataFrame, pd.DataFrame]) -> None:
    _, kept, _ = mixed_result
    good = {"a class/good clip", "a class/ünï cødé 視頻", "odd/odd size", "odd/turned"}
    assert good <= set(kept.index)
    assert set(kept.index) - good <= {"bad/cut"}  # a cut file may still hold its first frames
    assert kept.loc["odd/turned", "height"] > kept.loc["odd/turned", "width"]
    assert (kept[["width", "height"]] % 2 == 0).all(axis=None)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("zero", "empty|zero|0 bytes"),
        ("text", "not|no video|invalid"),
        ("sound", "no video"),
        ("one", "1 decodable frame"),
        ("interrupted", "moov|not finished|incomplete|invalid"),
        ("broken_link", "link|exist"),
    ],
)
def test_bad_file_is_dropped_with_its_reason(
    name: str, reason: str, mixed_result: tuple[Path, pd.DataFrame, pd.DataFrame]
) -> None:
    _, _, dropped = mixed_result
    assert pd.Series([dropped.loc[f"bad/{name}", "reason"]]).str.contains(reason, case=False).all()


def test_good_clips_are_the_same_bytes_without_the_bad_ones(
    mixed_folder: Path, mixed_result: tuple[Path, pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    shutil.copytree(mixed_folder / "a class", tmp_path / "videos" / "a class")
    prepare(tmp_path / "videos", tmp_path / "data")
    clip = Path("03_primary/resized_videos/a class/good clip.mp4")
    assert (tmp_path / "data" / clip).read_bytes() == (mixed_result[0] / clip).read_bytes()


def test_flat_folder_gets_classes_from_the_csv(tmp_path: Path) -> None:
    root = tmp_path / "flat"
    videos.write_video(root / "abcdefghijk_000010_000020.mp4", 12)
    videos.write_video(root / "unknownclip_000010_000020.mp4", 12)
    table = tmp_path / "train.csv"
    table.write_text(
        "label,youtube_id,time_start,time_end,split,is_cc\nplaying harp,abcdefghijk,10,20,train,0\n"
    )
    kept, _ = prepare(root, tmp_path / "data", ingest={"annotations": str(table), "split": "train"})
    assert kept["class_name"].to_dict() == {"playing_harp/abcdefghijk_000010_000020": "playing_harp"}
    unknown = pd.read_parquet(tmp_path / "data/02_intermediate/unknown_clips.parquet")
    assert unknown["id"].tolist() == ["unknownclip_000010_000020"]


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(VidrepError, match=r"ingest\.root: there is no video below"):
        prepare(tmp_path / "empty", tmp_path / "data")


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(VidrepError, match=r"ingest\.root: there is no folder"):
        prepare(tmp_path / "nowhere", tmp_path / "data")


def test_nothing_but_bad_files(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "text.mp4").write_text("no video")
    table = tmp_path / "data/02_intermediate/probes/_parts/failures.csv"
    reason = rf"(?s)probe: all 1 items failed, such as text: .*text\.mp4.*{table} lists them all"
    with pytest.raises(DatasetError, match=reason):
        prepare(tmp_path / "videos", tmp_path / "data")


def test_nothing_but_videos_that_are_too_short(tmp_path: Path) -> None:
    for number in range(3):
        videos.write_video(tmp_path / f"videos/c/{number}.mp4", 1, seed=number)
    reason = r"(?s)resize: all 3 items failed, such as .*count.* 3  .*1 decodable frame.*failures\.csv lists"
    with pytest.raises(DatasetError, match=reason):
        prepare(tmp_path / "videos", tmp_path / "data")


def test_nothing_that_the_label_filter_keeps(tmp_path: Path) -> None:
    videos.write_video(tmp_path / "videos/c/a.mp4", 12)
    with pytest.raises(VidrepError, match="label_filter kept none of 1 videos"):
        prepare(tmp_path / "videos", tmp_path / "data", label_filter={"min_frames": 100})


def test_unreadable_file_is_dropped(tmp_path: Path) -> None:
    root = tmp_path / "videos"
    videos.write_video(root / "c" / "good.mp4", 12)
    locked = root / "c" / "locked.mp4"
    locked.mkdir()  # for the superuser, permissions do not exist; a folder named like a video cannot be read
    unreadable = videos.write_video(root / "c" / "unreadable.mp4", 12)
    unreadable.chmod(0)
    kept, dropped = prepare(root, tmp_path / "data")
    assert "c/good" in kept.index
    assert "c/locked" not in kept.index
    if os.geteuid() != 0:
        assert "permission" in dropped.loc["c/unreadable", "reason"].lower()


def test_full_disk_stops_with_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    videos.write_video(tmp_path / "videos" / "c" / "clip.mp4", 12)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("vidrep_pipelines.data.video.transcode.VideoWriter", full)
    with pytest.raises(DatasetError, match="No space"):
        prepare(tmp_path / "videos", tmp_path / "data")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rsp": {"train": {"stpes": 3}}}, "stpes"),
        ({"rsp": {"train": {"batch_size": "many"}}}, "batch_size"),
        ({"resize": {"profile": "tiny"}}, "profile"),
        ({"rsp": {"model": {"image_size": 50}}}, "patch_size"),
        ({"rsp": {"train": {"epochs": 3, "steps": 3}}}, "exactly one of"),
        ({"rsp": {"trian": {"steps": 3}}}, "trian"),
        ({"resise": {"short_side": 3}}, "resize"),
    ],
)
def test_bad_parameter_stops_before_anything_runs(
    parameters: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(Exception, match=message):
        run_pipeline("pretrain_rsp", tmp_path, merged(TINY, parameters))
    assert not (tmp_path / "01_raw").exists()


class _Malicious:
    """Unpickling it would create a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._path),)


def test_malicious_label_list_is_refused(data: Path, tmp_path: Path) -> None:
    evil = tmp_path / "label_full_1.0.pickle"
    evil.write_bytes(pickle.dumps([_Malicious(tmp_path / "executed")]))
    parameters = merged(TINY, {"label_filter": {"label_list": str(evil)}})
    with pytest.raises(VidrepError, match="mkdir"):
        run_pipeline("label_filter", data, parameters)
    assert not (tmp_path / "executed").exists()


def test_label_list_restricts_the_clips(data: Path, tmp_path: Path) -> None:
    clips = pd.read_parquet(data / "05_model_input/clip_table.parquet")
    path = tmp_path / "label_1.0.pickle"
    path.write_bytes(pickle.dumps([(0, f"train2/{clips['path'].iloc[2]}")]))
    listed = merged(TINY, {"label_filter": {"label_list": str(tmp_path)}})
    run_pipeline("label_filter", data, listed, to_nodes=["label_filter.filter_clips"])
    left = pd.read_parquet(data / "05_model_input/clip_table.parquet")
    assert left["id"].tolist() == [clips["id"].iloc[2]]


def bad_checkpoint(kind: str, data: Path, folder: Path) -> Path:
    """A checkpoint that must not be accepted."""
    path = folder / f"{kind}.pth"
    if kind == "malicious":
        torch.save({"model": _Malicious(folder / "executed")}, path)
    elif kind == "other":
        torch.save({"model": {"conv1.weight": torch.zeros(3)}}, path)
    elif kind == "truncated":
        weights = {"model": {"cls_token": torch.zeros(1, 1, 100_000)}}
        torch.save(weights, path)
        path.write_bytes(path.read_bytes()[:5000])
    return path


@pytest.mark.parametrize("kind", ["malicious", "other", "truncated", "missing"])
def test_bad_initial_checkpoint_is_refused(kind: str, data: Path, tmp_path: Path) -> None:
    path = bad_checkpoint(kind, data, tmp_path)
    with pytest.raises(VidrepError, match=path.name):
        run_pipeline("pretrain_rsp", data, merged(TINY, {"rsp": {"initialize_from": str(path)}}))
    assert not (tmp_path / "executed").exists()
