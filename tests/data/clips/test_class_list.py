import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.clips.class_list import LabelledClip, class_ids, read_label_list, write_label_list

ROWS = [(17, "train2/abseiling/x y.mp4"), (0, "train2/ü.mp4")]


def dump(path, value):
    path.write_bytes(pickle.dumps(value))
    return path


def test_class_numbers_follow_the_names():
    assert class_ids(["b", "a", "b", "_", "B"]) == {"B": 0, "_": 1, "a": 2, "b": 3}


@given(st.lists(st.text()), st.randoms())
def test_class_numbers_do_not_depend_on_the_order(names, random):
    shuffled = random.sample(names, len(names))
    assert class_ids(shuffled) == class_ids(names)
    assert sorted(class_ids(names).values()) == list(range(len(set(names))))


@pytest.mark.parametrize("name", ["label_full_1.0.pickle", "label_1.0.pickle", "other.pickle"])
def test_lists_of_the_published_format(tmp_path, name):
    path = dump(tmp_path / name, ROWS)
    assert read_label_list(path) == ROWS
    assert read_label_list(path)[0].class_id == 17
    if name != "other.pickle":
        assert read_label_list(tmp_path) == ROWS


def test_the_name_that_the_published_script_writes_wins(tmp_path):
    dump(tmp_path / "label_1.0.pickle", [])
    dump(tmp_path / "label_full_1.0.pickle", ROWS)
    assert read_label_list(tmp_path) == ROWS


def test_written_lists_are_plain_pickles(tmp_path):
    written = write_label_list([LabelledClip(*ROWS[0]), ROWS[1]], tmp_path)
    assert written == tmp_path / "label_full_1.0.pickle"
    rows = pickle.loads(written.read_bytes())
    assert rows == ROWS
    assert {type(row) for row in rows} == {tuple}
    assert b"vidrep" not in written.read_bytes()
    assert list(tmp_path.iterdir()) == [written]
    assert write_label_list(iter(ROWS), tmp_path / "new/x.pickle").is_file()


class Malicious:
    def __reduce__(self):
        return (open, ("executed.txt", "w"))


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"a": 1}, "holds a dict where a list"),
        ([(1, "a.mp4"), "x"], "row 1 is no pair"),
        ([(1, "a.mp4", 2)], "row 0 is no pair"),
        ([("1", "a.mp4")], "class number '1'"),
        ([(True, "a.mp4")], "class number True"),
        ([(-1, "a.mp4")], "class number -1"),
        ([(1, b"a.mp4")], "the path b'a.mp4'"),
        ([(1, "")], "the path ''"),
        ([(1, "/etc/passwd")], "out of the data folder"),
        ([(1, "a/../../b.mp4")], "out of the data folder"),
        ([Malicious()], "was not read"),
    ],
)
def test_lists_that_are_refused(tmp_path, monkeypatch, value, complaint):
    monkeypatch.chdir(tmp_path)
    path = dump(tmp_path / "label_1.0.pickle", value)
    with pytest.raises(InputError, match=complaint) as caught:
        read_label_list(path)
    assert str(path) in str(caught.value)
    assert not (tmp_path / "executed.txt").exists()


def test_missing_and_damaged_lists(tmp_path):
    with pytest.raises(InputError, match=r"holds no label list.*label_filter"):
        read_label_list(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        read_label_list(tmp_path / "absent.pickle")
    (tmp_path / "label_1.0.pickle").write_bytes(pickle.dumps(ROWS)[:-8])
    with pytest.raises(InputError, match="was not read"):
        read_label_list(tmp_path)


def test_wrong_rows_are_not_written(tmp_path):
    with pytest.raises(InputError, match="row 1"):
        write_label_list([(1, "a.mp4"), (2, "/abs.mp4")], tmp_path / "x.pickle")
    assert list(tmp_path.iterdir()) == []
