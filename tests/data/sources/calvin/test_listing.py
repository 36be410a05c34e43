import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.calvin import write_annotations, write_calvin_split
from tests.helpers.real_clips import shared_folder
from vidrep_pipelines.common.errors import InputError
from vidrep_pipelines.data.frame_store.episode import Segment
from vidrep_pipelines.data.sources.calvin.episodes import CalvinOptions
from vidrep_pipelines.data.sources.calvin.listing import list_calvin_episodes

WHOLE = CalvinOptions(unannotated=True)


def test_instructions_are_episodes_of_both_splits(tmp_path: Path) -> None:
    write_calvin_split(tmp_path / "training")
    write_calvin_split(tmp_path / "validation", [(100, 103)], [((100, 103), "open it", "open")], digits=9)
    sources = list_calvin_episodes(tmp_path, name="calvin_d")
    assert [(source.trajectory, source.split) for source in sources] == [
        ("calvin_d/training/00000_0000003_0000006", "train"),
        ("calvin_d/training/00001_0000005_0000009", "train"),
        ("calvin_d/validation/00000_000000100_000000103", "validation"),
    ]
    for source, frames in zip(sources, (4, 5, 4), strict=True):
        with source.open() as episode:
            assert len(episode.states) == frames and episode.robot == "calvin_d"


def test_equal_stretches_stay_apart(tmp_path: Path) -> None:
    write_calvin_split(tmp_path / "training", annotations=[((3, 6), "lift", "a"), ((3, 6), "raise", "a")])
    sources = list_calvin_episodes(tmp_path)
    assert len({source.trajectory for source in sources}) == 2
    assert sources[0].digest != sources[1].digest


def test_whole_recordings_hold_their_instructions(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    across = [((3, 6), "lift", "a"), ((5, 9), "push", "b"), ((8, 21), "nowhere", "c"), ((4, "x"), "d", "d")]
    write_calvin_split(tmp_path / "training", annotations=across)
    first, second = list_calvin_episodes(tmp_path, WHOLE)
    assert (first.trajectory, second.trajectory) == (
        "calvin/training/0000003_0000009",
        "calvin/training/0000020_0000024",
    )
    with first.open() as episode:
        assert episode.annotations.segments == (Segment(0, 4, "lift", "a"), Segment(2, 7, "push", "b"))
        assert len(episode.states) == 7
    with second.open() as episode:
        assert episode.annotations.segments == () and len(episode.states) == 5
    assert "1 of 3 instructions lie in no recording" in caplog.text
    assert "the instruction 3: its last step is 'x'" in caplog.text


def test_recordings_need_no_instructions_but_their_list(tmp_path: Path) -> None:
    folder = write_calvin_split(tmp_path / "training")
    (folder / "lang_annotations" / "auto_lang_ann.npy").unlink()
    assert len(list_calvin_episodes(tmp_path, WHOLE)) == 2
    np.save(folder / "ep_start_end_ids.npy", np.array([[9, 3]]))
    with pytest.raises(InputError, match="a recording ends before it begins"):
        list_calvin_episodes(tmp_path, WHOLE)
    np.save(folder / "ep_start_end_ids.npy", np.arange(3.0))
    with pytest.raises(InputError, match=r"float64 \(3,\), expected whole numbers"):
        list_calvin_episodes(tmp_path, WHOLE)
    (folder / "ep_start_end_ids.npy").unlink()
    with pytest.raises(InputError, match=r"ep_start_end_ids\.npy is missing"):
        list_calvin_episodes(tmp_path, WHOLE)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (((5, 9), "  ", "push"), "The text of the segment 0..5 is empty.*Remedy"),
        (((9, 5), "push it", "push"), "its last step is 5, where a whole number from 9"),
        (((-4, 5), "push it", "push"), "its first step is -4"),
        ((7, "push it", "push"), "has the steps 7, where a pair"),
        (((5, 9), None, "push"), "is None with the task 'push'"),
        (((5, 15), "push it", "push"), "episode_0000010.npz is missing"),
    ],
)
def test_a_bad_instruction_fails_alone(tmp_path: Path, entry: Any, message: str) -> None:
    write_calvin_split(tmp_path / "training", annotations=[((3, 6), "lift", "lift"), entry])
    good, bad = list_calvin_episodes(tmp_path)
    with good.open() as episode:
        assert len(episode.states) == 4
    with pytest.raises(InputError, match=message), bad.open():
        pass


def test_instructions_elsewhere(tmp_path: Path) -> None:
    folder = write_calvin_split(tmp_path / "training")
    write_annotations(folder / "lang_new" / "auto_lang_ann.npy", [((20, 21), "new", "new")])
    (source,) = list_calvin_episodes(tmp_path, CalvinOptions(language_folder="lang_new"))
    assert source.first == 20
    (folder / "lang_annotations" / "auto_lang_ann.npy").rename(folder / "auto_lang_ann.npy")
    assert len(list_calvin_episodes(tmp_path)) == 2
    (folder / "auto_lang_ann.npy").unlink()
    with pytest.raises(InputError, match="unannotated: true"):
        list_calvin_episodes(tmp_path)


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("executed",)


def test_a_malicious_pickle_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_calvin_split(tmp_path / "training", annotations=[((3, 6), Malicious(), "lift")])
    with pytest.raises(InputError, match=r"auto_lang_ann\.npy was not read"):
        list_calvin_episodes(tmp_path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"language": {"ann": ["a"]}}, "holds no instructions in CALVIN's layout"),
        ({"language": 1}, "holds no instructions in CALVIN's layout"),
        ([1, 2], "holds a plain array"),
        ({"language": {"ann": ["a"], "task": []}, "info": {"indx": [(1, 2)]}}, r"have \[1, 1, 0\] entries"),
    ],
)
def test_other_pickles_are_refused(tmp_path: Path, content: Any, message: str) -> None:
    folder = write_calvin_split(tmp_path / "training")
    np.save(folder / "lang_annotations" / "auto_lang_ann.npy", content, allow_pickle=True)
    with pytest.raises(InputError, match=message):
        list_calvin_episodes(tmp_path)


def test_folders_without_the_data_set_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds neither training nor validation"):
        list_calvin_episodes(tmp_path)
    (tmp_path / "training").mkdir()
    with pytest.raises(InputError, match="holds no time step"):
        list_calvin_episodes(tmp_path)


def test_published_layout_of_the_sample() -> None:
    folder = shared_folder("vpp_calvin_mini")
    sources = list_calvin_episodes(folder)
    assert [source.trajectory for source in sources] == [
        "calvin/training/00000_0000100_0000155",
        "calvin/training/00001_0000160_0000215",
        "calvin/validation/00000_0005100_0005155",
        "calvin/validation/00001_0005160_0005215",
    ]
    with sources[1].open() as episode, np.load(folder / "training/episode_0000161.npz") as step:
        assert episode.states.shape == (56, 15) and episode.actions.shape == (56, 7)
        assert episode.annotations.segments == (Segment(0, 56, "do thing 1", "open_drawer"),)
        np.testing.assert_array_equal(episode.actions[1], step["rel_actions"].astype(np.float32))
        static, gripper = (list(view.pictures) for view in episode.views)
        np.testing.assert_array_equal(static[1], step["rgb_static"])
        np.testing.assert_array_equal(gripper[1], step["rgb_gripper"])
    (training, _) = list_calvin_episodes(folder, WHOLE)
    assert (training.first, training.last, len(training.annotations)) == (100, 215, 2)
