import pandas as pd
import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.listing import list_videos
from vidrep_pipelines.data.sources.kinetics import (
    REPLACEMENT_FOLDER,
    archive_name,
    assign_classes,
    class_folder,
    read_annotations,
)

HEADER = "label,youtube_id,time_start,time_end,split,is_cc\n"


def write(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "train.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_names():
    assert class_folder("playing harp") == "playing_harp"
    assert archive_name("-_3aB", 5, 15) == "-_3aB_000005_000015"


def test_annotations(tmp_path):
    rows = 'playing harp,-1_x,1,11,train,0\n"eating, slowly",NA,0007,17.0,train,1\n'
    rows += "playing harp,00123,0,10,train,0\n"
    table = read_annotations(write(tmp_path, HEADER + rows, "utf-8-sig"))
    assert table.to_dict("list") == {
        "name": ["-1_x_000001_000011", "NA_000007_000017", "00123_000000_000010"],
        "class_name": ["playing_harp", "eating,_slowly", "playing_harp"],
        "split": ["train"] * 3,
    }


def test_optional_columns_and_repeated_lines(tmp_path):
    table = read_annotations(write(tmp_path, "label,youtube_id,time_start,time_end\na,x,1,2\na,x,1,2\n"))
    assert len(table) == 1
    assert table["split"].tolist() == [""]


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return list_videos(root).videos.to_pandas()


def test_every_listed_clip_gets_its_class_or_a_reason(tmp_path):
    annotations = read_annotations(
        write(tmp_path, HEADER + "playing harp,a_b-c,1,11,train,0\nsky diving,d,2,12,,\n")
    )
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
    annotations = read_annotations(write(tmp_path, HEADER + rows))
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


def test_one_split(tmp_path):
    path = write(tmp_path, HEADER + "a,x,1,11,train,0\na,y,1,11,val,0\n")
    assert read_annotations(path, "val")["name"].tolist() == ["y_000001_000011"]
    with pytest.raises(InputError, match="no clip of the split 'test'; its splits are: train, val"):
        read_annotations(path, "test")


def test_nothing_known(tmp_path):
    annotations = read_annotations(write(tmp_path, HEADER))
    listing = pd.DataFrame(
        {"id": ["x"], "class_name": [""], "path": ["x.mp4"], "bytes": [1], "mtime_ns": [1]}
    )
    outcome = assign_classes(listing, annotations)
    assert len(outcome.clips) == 0
    assert outcome.unknown["id"].tolist() == ["x"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no table in CSV"),
        ("hello\nworld\n", "lacks the columns label, youtube_id, time_start, time_end"),
        ("label,youtube_id\na,b\n", "lacks the columns time_start, time_end"),
        (HEADER + "a,x,1,11,train,0,7,8,9,10\nb,y,2,12,train,0\n" + "c," * 30 + "\n", "no table in CSV"),
        (
            HEADER + "a,x,1,11,train,0\nb,y,soon,12,train,0\n",
            "line 3 has no whole number of seconds in time_start",
        ),
        (HEADER + "a,x,1,-3,train,0\n", "line 2 has no whole number of seconds in time_end"),
        (HEADER + "a,x,1.5,3,train,0\n", "line 2 has no whole number"),
        (HEADER + "a,x,1,,train,0\n", "line 2 has no whole number of seconds in time_end"),
        (HEADER + " ,x,1,3,train,0\n", "line 2 has no label"),
        (HEADER + "a,,1,3,train,0\n", "line 2 has no youtube_id"),
        (HEADER + "a,x,1,11,train,0\nb,x,1,11,train,0\n", "line 3 gives a clip another class"),
    ],
)
def test_tables_that_make_no_sense(tmp_path, text, complaint):
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=complaint) as caught:
        read_annotations(path)
    assert str(path) in str(caught.value)


def test_files_that_are_no_tables(tmp_path):
    with pytest.raises(InputError, match="no annotation table"):
        read_annotations(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_annotations(tmp_path)
    path = tmp_path / "train.csv"
    path.write_bytes(bytes(range(256)) * 4)
    with pytest.raises(InputError, match=r"train\.csv"):
        read_annotations(path)
