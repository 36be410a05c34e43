import json
import unicodedata

import pytest

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.sources.kinetics.annotations import archive_name, class_folder, read_annotations

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
    table = read_annotations(write(tmp_path, HEADER + rows, "utf-8-sig")).clips
    assert table.to_dict("list") == {
        "name": ["-1_x_000001_000011", "NA_000007_000017", "00123_000000_000010"],
        "class_name": ["playing_harp", "eating,_slowly", "playing_harp"],
        "split": ["train"] * 3,
    }


def test_optional_columns_and_repeated_lines(tmp_path):
    text = "label,youtube_id,time_start,time_end\na,x,1,2\na,x,1,2\n"
    annotations = read_annotations(write(tmp_path, text))
    assert len(annotations.left_out) == 0
    table = annotations.clips
    assert len(table) == 1
    assert table["split"].tolist() == [""]


def test_one_split(tmp_path):
    path = write(tmp_path, HEADER + "a,x,1,11,train,0\na,y,1,11,val,0\n")
    assert read_annotations(path, "val").clips["name"].tolist() == ["y_000001_000011"]
    with pytest.raises(InputError, match="no clip of the split 'test'; its splits are: train, val"):
        read_annotations(path, "test")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "holds nothing but blank lines"),
        ("hello\nworld\n", "lacks the columns label, youtube_id, time_start, time_end"),
        ("label,youtube_id\na,b\n", "lacks the columns time_start, time_end"),
        (HEADER + "a,x,1,11,train,0,7,8,9,10\n", "line 2 has 10 cells for 6 columns"),
        (HEADER + "a,x,1,-3,train,0\n", "line 2 has no whole number of seconds in time_end"),
        (HEADER + "a,x,1.5,3,train,0\n", "line 2 has no whole number"),
        (HEADER + "a,x,1,,train,0\n", "line 2 has no whole number of seconds in time_end"),
        (HEADER + " ,x,1,3,train,0\n", "line 2 has no label"),
        (HEADER + "a,,1,3,train,0\n", "line 2 has no youtube_id"),
    ],
)
def test_tables_that_make_no_sense(tmp_path, text, complaint):
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=complaint) as caught:
        read_annotations(path)
    assert str(path) in str(caught.value)


def test_files_that_are_no_tables(tmp_path):
    with pytest.raises(InputError, match=r"absent\.csv cannot be read: there is no such file"):
        read_annotations(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_annotations(tmp_path)
    path = tmp_path / "train.csv"
    path.write_bytes(bytes(range(256)) * 4)
    with pytest.raises(InputError, match=r"train\.csv"):
        read_annotations(path)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("b,y,soon,12,train,0", "has no whole number of seconds in time_start: time_start is 'soon'"),
        ("b,y,64.2,74.2,train,0", "has no whole number of seconds in time_start: time_start is '64.2'"),
        ("b,y,nan,12,train,0", "has no whole number of seconds in time_start: time_start is 'nan'"),
        ("b,y,1", "has no whole number of seconds in time_end: time_end is ''"),
        ("c," * 30, "has 31 cells for 6 columns"),
        ('"b,y,1,12,train,0', "is no row of a table (unexpected end of data)"),
        (
            "b,x,1,11,train,0",
            "gives a clip another class or split than a line before: x_000001_000011 is 'a' ",
        ),
        ("a,x,1,11,val,0", "gives a clip another class or split than a line before: x_000001_000011 is 'a' "),
        ("_parts,y,1,11,train,0", "names a class or a clip that no folder can be called after: '_parts', "),
        ("n" * 300 + ",y,1,11,train,0", "names a class or a clip that no folder can be called after: 'nnn"),
    ],
)
def test_a_bad_line_costs_itself_alone(tmp_path, caplog, line, reason):
    path = write(tmp_path, f"{HEADER}a,x,1,11,train,0\n{line}\nd,z,1,11,train,0\n")
    annotations = read_annotations(path)
    assert annotations.clips["name"].tolist() == ["x_000001_000011", "z_000001_000011"]
    assert annotations.clips["class_name"].tolist() == ["a", "d"]
    row = annotations.left_out.iloc[0]
    assert len(annotations.left_out) == 1
    assert (row["id"], row["path"]) == ("train.csv, line 3", str(path))
    assert row["reason"].startswith(f"line 3 {reason}")
    assert f"{path}, line 3 {reason}" in caplog.text


def test_one_video_at_two_times_is_two_clips(tmp_path):
    clips = read_annotations(write(tmp_path, HEADER + "a,x,1,11,val,0\nb,x,0,10,val,0\n")).clips
    assert clips["name"].tolist() == ["x_000001_000011", "x_000000_000010"]
    assert clips["class_name"].tolist() == ["a", "b"]


def test_labels_with_slashes_quotes_and_accents_are_one_folder_each(tmp_path):
    rows = 'opening door / window,a,1,11,val,0\n"massaging person\'s head",b,1,11,val,0\n'
    rows += '../up,c,1,11,val,0\n"shaking, stirring",d,1,11,val,0\n'
    rows += f"Übung,e,1,11,val,0\n{unicodedata.normalize('NFD', 'Übung')},f,1,11,val,0\n"
    assert read_annotations(write(tmp_path, HEADER + rows)).clips["class_name"].tolist() == [
        "opening_door_%2F_window",
        "massaging_person's_head",
        "%2E.%2Fup",
        "shaking,_stirring",
        "Übung",
        "Übung",
    ]


def test_names_of_files_with_their_labels(tmp_path):
    path = write(tmp_path, "x_000001_000011.mp4 weaving fabric\r\nsub/y_000064_000074.mp4 a\r\nnothing\r\n")
    annotations = read_annotations(path)
    assert annotations.clips.values.tolist() == [
        ["x_000001_000011", "weaving_fabric", ""],
        ["y_000064_000074", "a", ""],
    ]
    assert annotations.left_out["reason"].tolist() == ["line 3 is no <name of a video> <label>: 'nothing'"]


def test_activitynet_json(tmp_path):
    path = tmp_path / "kinetics.json"
    video = {"annotations": {"label": "weaving fabric", "segment": [1.0, 11.0]}, "subset": "validate"}
    broken = {"annotations": {"label": "a", "segment": [0.5, None]}, "subset": "validate"}
    listed = {"annotations": [{"label": "b", "segment": [2, 12]}], "subset": "training"}
    path.write_text(json.dumps({"x": video, "y": broken, "z": listed}))
    annotations = read_annotations(path)
    assert annotations.clips.values.tolist() == [
        ["x_000001_000011", "weaving_fabric", "validate"],
        ["z_000002_000012", "b", "training"],
    ]
    assert "its segment is 0.5" in annotations.left_out["reason"].item()
    assert read_annotations(path, "val").clips["name"].tolist() == ["x_000001_000011"]
    path.write_text(json.dumps({"database": {"x": video}}))
    assert len(read_annotations(path).clips) == 1
    path.write_text("[]")
    with pytest.raises(InputError, match="holds no videos by their YouTube identifiers"):
        read_annotations(path)


def test_lists_for_testing_have_no_labels(tmp_path, caplog):
    clips = read_annotations(write(tmp_path, "youtube_id,time_start,time_end,split\nx,1,11,test\n")).clips
    assert clips.values.tolist() == [["x_000001_000011", "", "test"]]
    assert "has no column label: its clips have no class" in caplog.text


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_tables_that_a_spreadsheet_saved(tmp_path, encoding):
    text = "Label;youtube_id;time_start;time_end\r\nÜbung;x;1;11\r\n"
    clips = read_annotations(write(tmp_path, text, encoding)).clips
    assert clips.values.tolist() == [["x_000001_000011", "Übung", ""]]


def test_a_pointer_in_place_of_a_table(tmp_path):
    path = write(tmp_path, "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n")
    with pytest.raises(InputError, match=r"train\.csv cannot be read: it is a Git-LFS pointer"):
        read_annotations(path)
