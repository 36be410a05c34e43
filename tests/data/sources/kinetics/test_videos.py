import pandas as pd

from vidrep_pipelines.data.files.listing import list_videos
from vidrep_pipelines.data.sources.kinetics.annotations import read_annotations
from vidrep_pipelines.data.sources.kinetics.videos import (
    REPLACEMENT_FOLDER,
    assign_classes,
    list_classified_videos,
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
