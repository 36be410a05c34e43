from pathlib import PurePosixPath

import pandas as pd
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.files.listing import list_videos
from vidrep_pipelines.data.sources.kinetics.annotations import read_annotations
from vidrep_pipelines.data.sources.kinetics.videos import (
    DAMAGED,
    REPLACEMENT_FOLDER,
    assign_classes,
    list_classified_videos,
    read_kinetics_rows,
)
from vidrep_pipelines.data.tables.table import as_table

HEADER = "label,youtube_id,time_start,time_end,split,is_cc\n"


def read(tmp_path, text):
    path = tmp_path / "train.csv"
    path.write_text(text)
    return read_annotations(path).clips


def rows_of(table):
    return pd.concat([batch.to_pandas() for batch in as_table(table).batches()])


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return list_videos(root).videos.to_pandas()


def test_every_listed_clip_gets_its_class_or_a_reason(tmp_path):
    annotations = read(tmp_path, HEADER + "playing harp,a_b-c,1,11,train,0\nsky diving,d,2,12,,\n")
    listing = touch(
        tmp_path / "videos",
        "a_b-c_000001_000011.mp4",
        "part_1/d_000002_000012.mkv",
        "d_000003_000013.mp4",
        "holiday.mp4",
    )
    outcome = assign_classes(listing, annotations)
    assert outcome.clips[["id", "class_name", "path"]].to_dict("list") == {
        "id": ["playing_harp/a_b-c_000001_000011", "sky_diving/d_000002_000012"],
        "class_name": ["playing_harp", "sky_diving"],
        "path": ["a_b-c_000001_000011.mp4", "part_1/d_000002_000012.mkv"],
    }
    assert list(outcome.clips.columns) == list(listing.columns)
    assert outcome.unknown.to_dict("records") == [
        {"id": "d_000003_000013", "path": "d_000003_000013.mp4", "reason": "not in the annotation table"},
        {"id": "holiday", "path": "holiday.mp4", "reason": "not in the annotation table"},
    ]


def test_replacements_stand_in_for_the_damaged_clips(tmp_path):
    rows = "harp,aaaaaaaaaaa,1,11,train,0\nharp,bbbbbbbbbbb,2,12,train,0\n"
    rows += "dive,ccccccccccc,3,13,train,0\ndive,ccccccccccc,50,60,train,0\n"
    annotations = read(tmp_path, HEADER + rows)
    new = REPLACEMENT_FOLDER
    listing = touch(
        tmp_path / "videos",
        "part_0/aaaaaaaaaaa_000001_000011.mp4",  # replaced under its own name
        "part_0/bbbbbbbbbbb_000002_000012.mp4",  # replaced by its only clip in the table
        "part_0/ccccccccccc_000003_000013.mp4",
        "part_1/ccccccccccc_000003_000013.mp4",  # the same clip again
        f"{new}/aaaaaaaaaaa_000001_000011.mp4",
        f"{new}/bbbbbbbbbbb.mp4",
        f"{new}/ccccccccccc.mp4",  # of two clips; which one is not known
        f"{new}/zzzzzzzzzzz_000003_000013.mp4",  # of another split
    )
    outcome = assign_classes(listing, annotations)
    assert dict(zip(outcome.clips["id"], outcome.clips["path"], strict=True)) == {
        "harp/aaaaaaaaaaa_000001_000011": f"{new}/aaaaaaaaaaa_000001_000011.mp4",
        "harp/bbbbbbbbbbb_000002_000012": f"{new}/bbbbbbbbbbb.mp4",
        "dive/ccccccccccc_000003_000013": "part_0/ccccccccccc_000003_000013.mp4",
    }
    assert outcome.clips["id"].is_monotonic_increasing
    reasons = dict(zip(outcome.unknown["path"], outcome.unknown["reason"], strict=True))
    assert set(reasons) | set(outcome.clips["path"]) == set(listing["path"])
    again = "replaced by, or the same clip as, "
    assert reasons == {
        "part_0/aaaaaaaaaaa_000001_000011.mp4": f"{again}{new}/aaaaaaaaaaa_000001_000011.mp4",
        "part_0/bbbbbbbbbbb_000002_000012.mp4": f"{again}{new}/bbbbbbbbbbb.mp4",
        "part_1/ccccccccccc_000003_000013.mp4": f"{again}part_0/ccccccccccc_000003_000013.mp4",
        f"{new}/ccccccccccc.mp4": "not in the annotation table",
        f"{new}/zzzzzzzzzzz_000003_000013.mp4": "not in the annotation table",
    }


def test_nothing_known(tmp_path):
    annotations = read(tmp_path, HEADER)
    listing = pd.DataFrame(
        {"id": ["x"], "class_name": [""], "path": ["x.mp4"], "bytes": [1], "mtime_ns": [1]}
    )
    outcome = assign_classes(listing, annotations)
    assert len(outcome.clips) == 0
    assert outcome.unknown["id"].tolist() == ["x"]


def test_a_clip_without_a_class_keeps_its_name(tmp_path):
    annotations = read(tmp_path, "youtube_id,time_start,time_end,split\nx,1,11,test\n")
    clips = assign_classes(touch(tmp_path / "videos", "x_000001_000011.mp4"), annotations).clips
    assert clips[["id", "class_name"]].values.tolist() == [["x_000001_000011", ""]]


def test_names_with_two_suffixes(tmp_path):
    annotations = read(tmp_path, HEADER + "a,x,1,11,train,0\n")
    clips = assign_classes(touch(tmp_path / "videos", "x_000001_000011.mp4.webm"), annotations).clips
    assert clips[["id", "path"]].values.tolist() == [["a/x_000001_000011", "x_000001_000011.mp4.webm"]]


def test_what_a_table_does_not_know_is_left_out(tmp_path):
    touch(tmp_path / "videos", "a_b-c_000001_000011.mp4", "holiday.mp4")
    table = tmp_path / "train.csv"
    table.write_text(HEADER + "playing harp,a_b-c,1,11,train,0\n")
    videos, left_out = list_classified_videos(tmp_path / "videos", (".mp4",), table, None)
    assert rows_of(videos)[["class_name", "path"]].to_dict("list") == {
        "class_name": ["playing_harp"],
        "path": [str(tmp_path / "videos" / "a_b-c_000001_000011.mp4")],
    }
    assert left_out[["id", "reason"]].to_dict("records") == [
        {"id": "holiday", "reason": "not in the annotation table"}
    ]
    folders, nothing = list_classified_videos(tmp_path / "videos", (".mp4",), None, None)
    assert len(rows_of(folders)) == 2 and nothing.empty


def written(folder, text):
    path = folder / "train.csv"
    path.write_text(text)
    return path


def test_rows_without_the_damaged_videos(tmp_path):
    damaged = "".join(f"train/{name},3\n" for name in sorted(DAMAGED))
    path = written(tmp_path, f'lunge/a.mp4,12\n{damaged}\n"odd, name/b.mp4",-1\n')
    rows = read_kinetics_rows(path)
    assert rows == [(PurePosixPath("lunge/a.mp4"), 12), (PurePosixPath("odd, name/b.mp4"), -1)]


@pytest.mark.parametrize(
    "line",
    ["a.mp4", "a.mp4,b", ",3", "a.mp4,1,2", "/a.mp4,1", "../a.mp4,1", "a.mp4,--5", "a.mp4,1.5", '"a.mp4,1'],
)
def test_wrong_lines_are_named(tmp_path, line):
    with pytest.raises(InputError, match=r"train\.csv, line 2"):
        read_kinetics_rows(written(tmp_path, f"a.mp4,0\n{line}\n"))


def test_empty_and_missing_lists(tmp_path):
    with pytest.raises(InputError, match="names no videos"):
        read_kinetics_rows(written(tmp_path, "\n"))
    with pytest.raises(InputError, match="cannot be read"):
        read_kinetics_rows(tmp_path / "none.csv")


def test_only_the_videos_of_the_list_are_used_and_absent_ones_are_named(tmp_path):
    touch(tmp_path / "videos", "lunge/a.mp4", "lunge/b.mp4", "dive/c.mp4")
    rows = written(tmp_path, "lunge/a.mp4,1\ndive/c.mp4,0\nlunge/gone.mp4,1\n")
    videos, left_out = list_classified_videos(tmp_path / "videos", (".mp4",), None, None, rows)
    assert rows_of(videos)["id"].tolist() == ["dive/c", "lunge/a"]
    assert left_out.to_dict("records") == [
        {
            "id": "lunge/gone.mp4",
            "path": "lunge/gone.mp4",
            "reason": "train.csv names it, but there is no such file",
        }
    ]
    with pytest.raises(InputError, match=r"ingest\.rows: none of the 1 videos .* is below ingest\.root"):
        list_classified_videos(tmp_path / "videos", (".mp4",), None, None, written(tmp_path, "x.mp4,1\n"))
